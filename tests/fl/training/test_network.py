"""What crosses each tier, and simulated time: by hand, and flat against hierarchical training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from analysis.figures.hierarchy import DIRECT
from fl.training.cloud import GlobalRound
from fl.training.errors import TrainingError
from fl.training.federation import Federation
from fl.training.model.artefact import save_state
from fl.training.model.parameters import size_of
from fl.training.model.spec import ModelSpec
from fl.training.network import Link, Links, Tiers, Traffic, count_traffic, simulate_round
from fl.training.station import ClientWork, Outcome, StationRound
from fl.training.strategies import SCAFFOLD
from fl.training.update import Update
from tests.fl.training.support import train

SPEC = ModelSpec("small-cnn", (1, 8, 8), 2)


def work(client: int, images: int, outcome: Outcome = Outcome.RETURNED, seconds: float = 0.0) -> ClientWork:
    return ClientWork(client, images, 2, outcome, 1.0, seconds)


def station(index: int, *edges: tuple[ClientWork, ...], update: bool = True) -> StationRound:
    return StationRound(index, Update(SPEC, index, 0, {}, 1) if update else None, edges)


ROUND = (
    station(0, (work(0, 100), work(1, 300, Outcome.MISSING)), (work(0, 100), work(1, 300))),
    station(1, (work(0, 50, Outcome.DIVERGED),), (work(0, 50),)),
    station(2, update=False),
)


def test_traffic__of_a_round__is_counted_by_tier_and_direction() -> None:
    counted = count_traffic(ROUND, 1000)
    assert counted.clients == Traffic(6, 6000, 4, 4000)
    assert counted.cloud == Traffic(3, 3000, 2, 2000)
    assert counted + counted == Tiers(Traffic(12, 12000, 8, 8000), Traffic(6, 6000, 4, 4000))


def test_simulate__given_computing_time__equals_hand_computation() -> None:
    # 1000 bytes: 8 ms + 2 ms on the client link, 1 ms + 50 ms on the cloud link; 2 ms an image, 2 local epochs
    links = Links(Link(1e6, 0.002), Link(8e6, 0.05), seconds_per_image=0.002)
    first = 2 * 0.051 + (2 * 0.010 + 100 * 2 * 0.002) + (2 * 0.010 + 300 * 2 * 0.002)
    assert simulate_round(ROUND, 1000, links, {0: 2, 1: 2}) == pytest.approx(first)
    second = 2 * 0.051 + (2 * 0.010 + 50 * 2 * 0.002)
    assert simulate_round(ROUND[1:], 1000, links, {0: 2, 1: 2}) == pytest.approx(second)
    assert simulate_round(ROUND[2:], 1000, links, {0: 2, 1: 2}) == 0
    assert simulate_round(ROUND, 1000, links, {0: 2, 1: 40}) == pytest.approx(second + 50 * 38 * 0.002)


def test_simulate__measured_computing_time__is_what_clients_took() -> None:
    played = station(0, (work(0, 9, seconds=0.5), work(1, 9, seconds=2.0)), (work(0, 9, seconds=1.0),))
    assert simulate_round([played], 1000, Links(DIRECT, DIRECT), {0: 1}) == 3.0


def test_traffic__of_a_real_run__is_the_size_of_its_models(
    create_federation: Callable[..., Federation],
) -> None:
    federation = create_federation(stations=3, clients=2, edge_aggregations=2, rounds=1)
    (done,) = train(federation, present=lambda global_round, index: index != 1)
    size = size_of(done.state)
    assert size == sum(tensor.numel() * 4 for tensor in done.state.values())
    assert size < len(save_state(done.state)) < size + 1000
    assert count_traffic(done.stations, size) == Tiers(
        Traffic(2 * 2 * 2, 8 * size, 8, 8 * size), Traffic(3, 3 * size, 2, 2 * size)
    )
    assert all(each.seconds > 0 for played in done.stations for edge in played.work for each in edge)


def test_traffic__of_scaffold__has_its_control_variates(create_federation: Callable[..., Federation]) -> None:
    """Each as large as the model: down from the second global round on, up with every client's, and passed on."""
    federation = create_federation(stations=2, clients=3, edge_aggregations=2, rounds=2)
    config = replace(federation.config, strategy="SCAFFOLD")
    plain = replace(federation.stations[0].config, momentum=0.0)
    stations = tuple(replace(each, strategy=SCAFFOLD(), config=plain) for each in federation.stations)
    first, second = train(replace(federation, config=config, stations=stations))
    size = size_of(first.state)
    up = Traffic(12, 12 * size, 12, 12 * 2 * size), Traffic(2, 2 * size, 2, 2 * (size + 3 * size))
    assert count_traffic(first.stations, size, None, first.broadcast) == Tiers(*up)
    both = Traffic(12, 12 * 2 * size, 12, 12 * 2 * size), Traffic(2, 2 * 2 * size, 2, 2 * (size + 3 * size))
    assert count_traffic(second.stations, size, None, second.broadcast) == Tiers(*both)
    links = Links(Link(8.0, 0.0), Link(8.0, 0.0), seconds_per_image=0.0)  # a byte a second
    assert (
        simulate_round(second.stations, size, links, {0: 1, 1: 1}, None, second.broadcast)
        == (2 + 2 * (2 + 2) + 4) * size
    )


def test_simulate__slow_cloud_links__favour_the_hierarchy(create_federation: Callable[..., Federation]) -> None:
    """The literature's comparison: as many local epochs, κ2 = 3 edge aggregations against 3 flat rounds."""

    def simulated(links: Links, **settings: int) -> tuple[float, list[GlobalRound]]:
        federation = create_federation(train_images=60, **settings)
        federation = replace(federation, config=replace(federation.config, contribution="none"))
        rounds = list(train(federation))
        return sum(
            simulate_round(done.stations, size_of(done.state), links, dict.fromkeys(range(3), 1)) for done in rounds
        ), rounds

    near, far = Link(1e7, 0.01), Link(1e6, 0.1)
    hierarchical, _ = simulated(Links(near, far, 1e-4), stations=3, clients=2, edge_aggregations=3, rounds=1)
    flat, rounds = simulated(Links(far, DIRECT, 1e-4), stations=1, clients=6, edge_aggregations=1, rounds=3)
    assert hierarchical < flat / 2
    images = max(each.samples for each in rounds[0].stations[0].work[0])
    assert flat == pytest.approx(3 * (2 * far.seconds(size_of(rounds[0].state)) + 1e-4 * images))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Link(0, 1), "bandwidth must be positive, not 0"),
        (lambda: Link(float("nan"), 1), "bandwidth must be positive, not nan"),
        (lambda: Link(1, -1), "latency must be at least 0, not -1"),
        (lambda: Links(DIRECT, DIRECT, -0.1), "seconds per image must be at least 0, not -0.1"),
    ],
)
def test_link__bad_input__says_what(call: Callable[[], object], text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        call()
