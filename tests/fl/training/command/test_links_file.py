"""Links and speeds of single parties: who is slow, and what a file says wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from fl.training.command.links_file import read_links
from fl.training.command.options import Options
from fl.training.command.run import run
from fl.training.config import StationConfig
from fl.training.errors import CheckpointError, TrainingError
from fl.training.federation import Federation
from fl.training.model.spec import ModelSpec
from fl.training.network import Link, Links, simulate_round
from fl.training.station import ClientWork, Outcome, StationRound
from fl.training.update import Update
from tests.fl.training.support import train_in

ALL = Links(Link(1e7, 0.01), Link(1e8, 0.02), 0.001)
CLIENTS = {0: 2, 1: 3}
FIRST = "station,client,mbps,ms,seconds_per_image\n"


def read(folder: Path, *lines: str, links: Links = ALL) -> Links:
    path = folder / "links.csv"
    path.write_text(FIRST + "".join(line + "\n" for line in lines))
    return read_links(path, links, CLIENTS)


def test_read_links__lines_of_some__leave_what_all_have_to_the_others(tmp_path: Path) -> None:
    found = read(tmp_path, "0,1,1,50,0.5", "1,2,,7,", "", "1,,5,,")
    assert found == Links(
        ALL.client,
        ALL.cloud,
        ALL.seconds_per_image,
        own_client={(0, 1): Link(1e6, 0.05), (1, 2): Link(1e7, 0.007)},
        own_cloud={1: Link(5e6, 0.02)},
        own_seconds={(0, 1): 0.5},
    )


def round_of(station: int) -> StationRound:
    """Of two clients with 100 and 300 images."""
    spec = ModelSpec("small-cnn", (1, 8, 8), 2)
    work = tuple(ClientWork(client, 100 + 200 * client, 1, Outcome.RETURNED, 1.0, 9.0) for client in range(2))
    return StationRound(station, Update(spec, station, 0, {}, 1), (work,))


def test_simulate__own_links_and_speeds__equals_hand_computation(tmp_path: Path) -> None:
    # 1000 bytes: 10.8 ms on the clients' links, 20.08 ms on the cloud's; κ1 = 2, 1 ms an image
    same = 2 * 0.02008 + 2 * 0.0108 + 300 * 2 * 0.001
    assert simulate_round([round_of(0)], 1000, ALL, {0: 2}) == pytest.approx(same)
    slow = read(tmp_path, "0,0,0.1,50,0.01", "1,,0.001,0,")  # 130 ms on its link; 8 s from base station 1 to the cloud
    first = 2 * 0.02008 + 2 * 0.130 + 100 * 2 * 0.01
    assert simulate_round([round_of(0)], 1000, slow, {0: 2}) == pytest.approx(first)
    second = 2 * 8.0 + 2 * 0.0108 + 300 * 2 * 0.001
    assert simulate_round([round_of(0), round_of(1)], 1000, slow, {0: 2, 1: 2}) == pytest.approx(second)


def test_simulate__own_speed_of_one_client__leaves_the_others_measured(tmp_path: Path) -> None:
    measured = Links(ALL.client, ALL.cloud)
    own = read(tmp_path, "0,0,,,0.2", links=measured)  # 20 s, where the other took 9 s
    direct = 2 * 0.02008 + 2 * 0.0108
    assert simulate_round([round_of(0)], 1000, own, {0: 1}) == pytest.approx(direct + 20)
    assert simulate_round([round_of(0)], 1000, measured, {0: 1}) == pytest.approx(direct + 9)


def test_run__a_slow_client__makes_its_rounds_longer_and_changes_no_model(
    create_federation: Callable[..., Federation], tmp_path: Path
) -> None:
    federation = create_federation(rounds=1)
    (tmp_path / "links.csv").write_text(FIRST + "2,1,0.01,0,\n")
    links = {"client_link": (10.0, 5.0), "cloud_link": (100.0, 20.0), "seconds_per_image": 0.0}
    (even,) = train_in(tmp_path / "even", federation, **links)
    (slow,) = train_in(tmp_path / "slow", federation, **links, links=tmp_path / "links.csv")
    assert slow["model"] == even["model"] and slow["traffic"] == even["traffic"]
    size = even["traffic"]["cloud"]["down_bytes"] / 3
    assert slow["simulated_seconds"] - even["simulated_seconds"] == pytest.approx(
        2 * 8 * size / 1e4 - 2 * (8 * size / 1e7 + 0.005)
    )


def test_run__that_goes_on_with_other_links__is_refused_with_what_differs(
    create_federation: Callable[..., Federation], tmp_path: Path
) -> None:
    """Its file of metrics would have seconds of both."""
    one, two = (create_federation(rounds=rounds, contribution="none") for rounds in (1, 2))
    slow, slower = tmp_path / "slow.csv", tmp_path / "slower.csv"
    slow.write_text(FIRST + "2,1,0.01,0,\n")
    slower.write_text(FIRST + "2,1,0.005,0,\n")
    links = {"client_link": (10.0, 5.0), "cloud_link": (100.0, 20.0), "seconds_per_image": 0.0, "links": slow}
    train_in(tmp_path / "run", one, **links)
    for changed, text in (
        ({"client_link": (10.0, 6.0)}, r"client_link is .*'latency': 0.005} there, .*'latency': 0.006} here"),
        ({"cloud_link": (50.0, 20.0)}, r"cloud_link is .* there, .*50000000.0.* here"),
        ({"seconds_per_image": None}, "seconds_per_image is 0.0 there, None here"),
        ({"links": None}, r"links is \w{64} there, None here"),
        ({"links": slower}, r"links is \w{64} there, \w{64} here"),
        (dict.fromkeys(links), "client_link is .* there, None here; cloud_link"),
    ):
        with pytest.raises(CheckpointError, match=f"holds another run: {text}"):
            train_in(tmp_path / "run", two, **{**links, **changed})
    slow.rename(tmp_path / "elsewhere.csv")
    assert len(train_in(tmp_path / "run", two, **{**links, "links": tmp_path / "elsewhere.csv"})) == 2


def test_run__a_base_station_of_more_local_epochs__is_waited_for(create_federation: Callable[..., Federation]) -> None:
    own = {2: StationConfig(3, 1, learning_rate=0.05)}
    federation = create_federation(rounds=1, per_station=own, contribution="none")
    options = Options(federation.config, client_link=(1e9, 0.0), cloud_link=(1e9, 0.0), seconds_per_image=1.0)
    ((record,), images) = run(federation, options), len(federation.stations[2].clients[0])
    assert record["simulated_seconds"] == pytest.approx(3 * images)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("2,0,1,1,", "there is no base station 2"),
        (",0,1,1,", "there is no base station "),
        ("0,2,1,1,", "base station 0 has no client 2"),
        ("0,-1,1,1,", "base station 0 has no client -1"),
        ("1,0,1,1,\n1,0,2,2,", "the same client is named before"),
        ("1,,1,1,\n1,,2,2,", "the same base station is named before"),
        ("1,,1,1,0.1", "a base station computes nothing: leave its seconds_per_image empty"),
        ("0,0,fast,1,", "mbps is 'fast' and must be a number"),
        ("0,one,1,1,", "client is 'one' and must be a number"),
        ("0,0,0,1,", "a link's bandwidth must be positive, not 0.0"),
        ("0,0,1,-1,", "a link's latency must be at least 0, not -0.001"),
        ("0,0,1,1,-1", "seconds per image must be at least 0, not -1.0"),
        ("0,0,1,1,nan", "seconds per image must be at least 0, not nan"),
        ("0,0,1,1", "it has 4 columns, not 5"),
    ],
)
def test_read_links__bad_line__is_named(tmp_path: Path, line: str, text: str) -> None:
    number = 2 + line.count("\n")
    with pytest.raises(TrainingError) as raised:
        read(tmp_path, line)
    assert str(raised.value) == f"{tmp_path}/links.csv, line {number}: {text}"


def test_read_links__no_such_table__says_what_it_must_be(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    with pytest.raises(TrainingError, match=r"links.csv cannot be read: .*No such file or directory"):
        read_links(path, ALL, CLIENTS)
    path.write_text("station,mbps\n0,1\n")
    with pytest.raises(TrainingError, match="its first line must be station,client,mbps,ms,seconds_per_image"):
        read_links(path, ALL, CLIENTS)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(TrainingError, match=r"links.csv cannot be read"):
        read_links(path, ALL, CLIENTS)
    path.write_text(FIRST)
    assert read_links(path, ALL, CLIENTS) == ALL


def test_links__bad_seconds_of_one_client__are_refused() -> None:
    with pytest.raises(TrainingError, match="seconds per image must be at least 0, not inf"):
        Links(ALL.client, ALL.cloud, own_seconds={(0, 0): math.inf})


def test_options__links_without_those_of_all__are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from fl.training.command.options import parse

    with pytest.raises(SystemExit):
        parse(["--links", "links.csv"])
    assert "--links goes with --client-link and --cloud-link" in capsys.readouterr().err
    given = parse(["--links", "links.csv", "--client-link", "1,1", "--cloud-link", "1,1"])
    assert given.links == Path("links.csv") and isinstance(given, Options)
