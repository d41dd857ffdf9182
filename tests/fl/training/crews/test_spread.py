"""Base stations spread over ranks: the same digests, and clear errors where ranks do not agree or end."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fl.training.command.options import Options, parse
from fl.training.command.run import run
from fl.training.config import Rule, TrainingConfig
from fl.training.crews.crew import InProcess
from fl.training.crews.ranks import Group
from fl.training.crews.spread import Spread
from fl.training.data.dataset import Dataset
from fl.training.errors import TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.station import Station, StationRound
from tests.fl.training.ranks import free_port, in_ranks
from tests.fl.training.support import equal, lines, train_in, undisturbed, without_numbers

CreateFederation = Callable[..., Federation]


def with_statistics(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Whose state holds whole numbers too: a batch normalisation counts its batches."""
    pixels = math.prod(input_shape)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(pixels), nn.Linear(pixels, 7), nn.ReLU(), nn.Linear(7, classes))


def trained(federation: Federation, group: Group, folder: Path | None = None) -> list[dict[str, Any]]:
    """A run's records, without what depends on how long it took."""
    return undisturbed([dict(record) for record in run(federation, Options(federation.config, folder), group=group)])


@pytest.mark.parametrize(
    ("ranks", "settings"),
    [
        (
            3,
            {
                "strategy": "FedAvgM(momentum=0.5)",
                "edge_aggregations": 2,
                "station_dropout": 0.3,
                "contribution": "none",
            },
        ),
        (2, {"rule": Rule("trimmed-mean", 1), "contribution": "shapley"}),
        (3, {"contribution": "margin", "model": f"{__name__}:with_statistics"}),
    ],
)
def test_run__over_ranks__has_the_digests_and_numbers_of_one_process(
    create_federation: CreateFederation, ranks: int, settings: dict[str, Any]
) -> None:
    federation = create_federation(stations=5, **settings)
    expected = undisturbed([dict(record) for record in run(federation, Options(federation.config))])
    assert in_ranks(ranks, lambda group: trained(federation, group)) == [expected] * ranks


def test_run__more_test_images_than_a_batch__is_judged_as_in_one_process(digits: Dataset) -> None:
    """Of 1,200 test images the last batch is smaller, and one of four ranks has none."""
    images, labels = (torch.cat([each] * 4)[:1200] for each in (digits.test.inputs, digits.test.labels))
    larger = replace(digits, test=replace(digits.test, inputs=images, labels=labels))
    federation = build_federation(TrainingConfig(train_images=40, rounds=1, contribution="none"), larger)
    state = federation.initial_state()
    found = in_ranks(4, lambda group: Spread(federation, group, InProcess(federation)).evaluate(state))
    assert found == [federation.evaluate(state)] * 4


def test_gather__updates_of_all_ranks__are_those_of_one_process(create_federation: CreateFederation) -> None:
    federation = create_federation(stations=3)
    start = federation.initial_state()
    expected = [federation.stations[index].train_round(start, 0).state for index in range(3)]

    def play(group: Group) -> list[bool]:
        crew = Spread(federation, group, InProcess(federation))
        updates = [played.update for played in crew.play(start, 0, [0, 1, 2]) if played.update is not None]
        held = sum(bool(update.state) for update in updates)
        assert held == (2 if group.leads else 1)
        gathered = {update.station: update.state for update in crew.gather(updates)}
        return [equal(gathered[index], expected[index]) for index in range(3)]

    assert in_ranks(2, play) == [[True] * 3] * 2


def test_run__interrupted_and_started_again_with_other_ranks__ends_with_the_same_digests(
    create_federation: CreateFederation, tmp_path: Path
) -> None:
    federation = create_federation(rounds=3, strategy="FedAvgM(momentum=0.5)", stations=3)
    expected = undisturbed(train_in(tmp_path / "one", federation))

    def first_round(group: Group) -> None:
        next(iter(run(federation, Options(federation.config, tmp_path / "ranks"), group=group)))

    in_ranks(3, first_round)
    assert len(lines(tmp_path / "ranks")) == 1
    assert in_ranks(2, lambda group: trained(federation, group, tmp_path / "ranks")) == [expected] * 2
    assert undisturbed(lines(tmp_path / "ranks")) == expected


def test_run__losses_are_no_numbers_at_one_rank__leaves_its_station_out(create_federation: CreateFederation) -> None:
    federation = create_federation(rounds=1)
    stations = (*federation.stations[:1], without_numbers(federation.stations[1]), *federation.stations[2:])
    sick = replace(federation, stations=stations)
    found = in_ranks(2, lambda group: trained(sick, group))
    assert found == [undisturbed([dict(record) for record in run(sick, Options(sick.config))])] * 2
    assert list(found[0][0]["absent"]) == ["1"]


def test_run__losses_are_no_numbers_anywhere__ends_all_ranks_with_the_same_error(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation()
    sick = replace(federation, stations=tuple(without_numbers(station) for station in federation.stations))
    first, second = in_ranks(2, lambda group: trained(sick, group))
    assert first == second
    assert "no base station has an update left in global round 0" in str(first)


class Failing(Station):
    """A base station whose round ends in an error."""

    def play(self, *_: object) -> StationRound:
        raise TrainingError("no memory left")


class Killed(Station):
    """A base station whose process is killed."""

    def play(self, *_: object) -> StationRound:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def with_last(federation: Federation, kind: type[Station]) -> Federation:
    *others, last = federation.stations
    odd = kind(last.index, last.model, last.clients, last.config, last.seed)
    return replace(federation, stations=(*others, odd))


def test_run__error_at_one_rank__ends_all_with_it(create_federation: CreateFederation) -> None:
    federation = with_last(create_federation(stations=2), Failing)
    assert in_ranks(2, lambda group: trained(federation, group)) == ["rank 1: no memory left"] * 2


def test_run__rank_killed_in_a_round__ends_the_others_with_one_line(create_federation: CreateFederation) -> None:
    federation = with_last(create_federation(stations=2), Killed)
    left, killed = in_ranks(2, lambda group: trained(federation, group))
    assert killed is None
    assert str(left).startswith("another rank is gone: ")
    assert "\n" not in str(left)


def test_run__folder_of_another_run__ends_all_ranks_with_its_error(
    create_federation: CreateFederation, tmp_path: Path
) -> None:
    train_in(tmp_path, create_federation(rounds=1))
    other = create_federation(rounds=1, strategy="FedAvgM(momentum=0.5)")
    first, second = in_ranks(2, lambda group: trained(other, group, tmp_path))
    assert first == second
    assert "holds another run: strategy is None there, FedAvgM(momentum=0.5) here" in str(first)


def test_run__ranks_started_for_different_runs__are_refused(create_federation: CreateFederation) -> None:
    one, other = create_federation(rounds=1), create_federation(rounds=2, strategy="FedAvgM(momentum=0.5)")
    found = in_ranks(2, lambda group: trained(one if group.leads else other, group))
    differ = "rounds is 1 there, 2 here; strategy is None there, FedAvgM(momentum=0.5) here"
    assert found == [f"rank 1: it was started for another run than rank 0: {differ}"] * 2


def test_run__more_ranks_than_base_stations__is_refused(create_federation: CreateFederation) -> None:
    federation = create_federation(stations=2, rounds=1)
    text = "3 ranks for 2 base stations: a rank plays at least one, so start fewer"
    assert in_ranks(3, lambda group: trained(federation, group)) == [text] * 3


ARGUMENTS = ("--targets", "0,1", "--train-images", "60", "--stations", "2", "--rounds", "1")


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    """Started as a user does."""
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.heavy
def test_command__under_torchrun__is_told_once_and_ends_with_the_same_digests(tmp_path: Path) -> None:
    options = parse([*ARGUMENTS, "--out", str(tmp_path / "one")])
    expected = undisturbed([dict(record) for record in run(build_federation(options.config), options)])
    ranks = torchrun("--nproc-per-node=2", "-m", "fl.training", *ARGUMENTS, "--out", str(tmp_path / "ranks"))
    shown, errors = ranks.communicate(timeout=120)
    assert ranks.returncode == 0, errors
    assert undisturbed(lines(tmp_path / "ranks")) == expected
    assert shown.count("target labels 0, 1") == 1


@pytest.mark.heavy
def test_command__on_two_machines__ends_with_the_same_digests(tmp_path: Path) -> None:
    """Two launchers that meet at an address, here both on one machine."""
    options = parse([*ARGUMENTS, "--out", str(tmp_path / "one")])
    expected = undisturbed([dict(record) for record in run(build_federation(options.config), options)])
    meet = ("--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}")
    command = (*meet, "--rdzv-id=test", "-m", "fl.training", *ARGUMENTS, "--out", str(tmp_path / "ranks"))
    machines = [torchrun(*command) for _ in range(2)]
    ended = [machine.communicate(timeout=300) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], ended
    assert undisturbed(lines(tmp_path / "ranks")) == expected


@pytest.mark.heavy
def test_command__bad_input_under_torchrun__is_one_line_before_what_torchrun_adds() -> None:
    ranks = torchrun("--nproc-per-node=2", "-m", "fl.training", "--targets", "0,ten")
    _, errors = ranks.communicate(timeout=120)
    assert ranks.returncode != 0
    text = "error: unknown target labels ten: choose from 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert [line for line in errors.splitlines() if line.startswith("error: ")] == [text]
