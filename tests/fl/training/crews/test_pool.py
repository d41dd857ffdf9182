"""Worker processes: the same digests as in one process, and an end to everything whatever ends."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fl.training.cloud import GlobalRound
from fl.training.command.main import main
from fl.training.config import METHODS, Rule, StationConfig, TrainingConfig
from fl.training.crews.crew import InProcess
from fl.training.crews.pool import Pool, count_workers, open_crew
from fl.training.crews.shared_memory import SharedState
from fl.training.data.dataset import Dataset
from fl.training.errors import DivergedError, ModelError, TrainingError, WorkerError
from fl.training.federation import Federation, build_federation
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from fl.training.station import StationRound
from tests.fl.training.few_images import FEW_IMAGES
from tests.fl.training.support import equal, train, train_in, undisturbed, with_station, without_numbers

CreateFederation = Callable[..., Federation]


@pytest.fixture
def federation(create_federation: CreateFederation) -> Federation:
    return create_federation(clients=2, strategy="FedAvgM(momentum=0.5)", contribution="none")


def facts(done: GlobalRound) -> list[object]:
    """All of a round but its tensors and how long it took."""
    stations = [
        replace(each, update=None, work=tuple(tuple(replace(c, seconds=0.0) for c in work) for work in each.work))
        for each in done.stations
    ]
    updates = [(update.station, update.samples) for update in done.updates]
    told = [(each.station, each.work, each.reason, each.diverged) for each in stations]
    return [done.evaluation, dict(done.contributions), done.evaluations, dict(done.absent), updates, told]


def assert_same(found: list[GlobalRound], expected: list[GlobalRound]) -> None:
    """Bit for bit, all models and figures."""
    assert [facts(one) for one in found] == [facts(other) for other in expected]
    for one, other in zip(found, expected, strict=True):
        assert equal(one.state, other.state)
        for update, same in zip(one.updates, other.updates, strict=True):
            assert equal(update.state, same.state)


def is_running(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


# The same as in one process


@pytest.mark.parametrize("workers", [2, 5])
def test_train__by_any_number_of_workers__is_what_one_process_does(federation: Federation, workers: int) -> None:
    expected = list(train(federation))
    with Pool(federation, workers) as crew:
        assert_same(list(train(federation, crew=crew)), expected)


@pytest.mark.parametrize("method", METHODS[1:])
def test_train__by_workers__values_base_stations_alike(federation: Federation, method: str) -> None:
    federation = replace(federation, config=replace(federation.config, contribution=method))
    with Pool(federation, 2) as crew:
        assert_same(list(train(federation, crew=crew)), list(train(federation)))


def test_train__by_workers_with_all_that_can_be_set__is_what_one_process_does(digits: Dataset) -> None:
    station = StationConfig(
        2, 2, proximal=0.01, augment=True, stragglers=0.3, client_dropout=0.2, rule=Rule("trimmed-mean", 1)
    )
    config = TrainingConfig(
        train_images=200, stations=5, clients=4, alpha=1.0, rounds=2, seed=3, station=station, rule=Rule("median"),
        station_dropout=0.3, contribution="leave-one-out",
    )  # fmt: skip
    federation = build_federation(config, digits)
    with Pool(federation, 2) as crew:
        assert_same(list(train(federation, crew=crew)), list(train(federation)))


def test_evaluate__more_batches_than_tasks__adds_up_in_their_order(digits: Dataset) -> None:
    """8,616 test images: 18 batches, the last one short, in 6 parts of 3."""
    full = replace(digits, test=digits.train.take(torch.arange(1436).repeat(6).numpy()))
    federation = build_federation(TrainingConfig(train_images=100), full)
    state = federation.initial_state()
    with Pool(federation, 2) as crew:
        assert crew.evaluate(state) == federation.evaluate(state)


def test_play__rounds__come_largest_first_and_none_twice(create_federation: CreateFederation) -> None:
    federation = create_federation(stations=5, alpha=0.3, seed=2)
    seen: list[StationRound] = []
    with Pool(federation, 1) as crew:
        seen.extend(crew.play(federation.initial_state(), 0, range(5)))
    sizes = [federation.stations[played.station].samples for played in seen]
    assert sizes == sorted(sizes, reverse=True)
    assert sorted(played.station for played in seen) == [0, 1, 2, 3, 4]


def test_train__clients_diverge_in_workers__is_reported_here(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    stations = (federation.stations[0], without_numbers(federation.stations[1], (1,)), federation.stations[2])
    bad = replace(federation, stations=stations)
    with Pool(bad, 2) as crew:
        rounds = list(train(bad, crew=crew))
    assert caplog.text.count("global round 0, base station 1, client 1: the loss became nan") == 1
    assert_same(rounds, list(train(bad)))


def test_train__all_diverge_in_workers__is_the_same_error(federation: Federation) -> None:
    bad = replace(federation, stations=tuple(without_numbers(station) for station in federation.stations))
    errors = []
    for crew in (InProcess(bad), Pool(bad, 2)):
        with pytest.raises(DivergedError) as caught:
            list(train(bad, crew=crew))
        errors.append(str(caught.value))
        if isinstance(crew, Pool):
            crew.close()
    assert errors[0] == errors[1]


def test_play__updates_kept__are_not_changed_by_later_rounds(federation: Federation) -> None:
    """For two global rounds' updates there is room where workers left them; those of others are copies."""
    kept: list[State] = []
    copies: list[State] = []
    with Pool(federation, 2) as crew:
        for global_round in range(4):
            for played in crew.play(federation.initial_state(), global_round, range(len(federation.stations))):
                assert played.update is not None
                kept.append(played.update.state)
                copies.append({name: tensor.clone() for name, tensor in kept[-1].items()})
        for state, copy in zip(kept, copies, strict=True):
            assert equal(state, copy)
    assert len({state["0.weight"].data_ptr() for state in kept}) == len(kept)


def test_train__updates_dropped__leave_their_room_to_the_next(federation: Federation) -> None:
    federation = replace(federation, config=replace(federation.config, rounds=4))
    seen = set()
    with Pool(federation, 2) as crew:
        for done in train(federation, crew=crew):
            seen |= {update.state["0.weight"].data_ptr() for update in done.updates}
            del done
    assert len(seen) == len(federation.stations)


def test_play__state_of_another_model__is_refused_and_the_workers_go_on(federation: Federation) -> None:
    other = ModelSpec("small-cnn", (1, 8, 8), 5).initial_state(0)
    with Pool(federation, 2) as crew:
        with pytest.raises(ModelError, match="these parameters are of another model"):
            list(crew.play(other, 0, [0]))
        with pytest.raises(ModelError, match="these parameters are of another model"):
            crew.evaluate(other)
        assert crew.evaluate(federation.initial_state()) == federation.evaluate(federation.initial_state())


def test_shared_state__any_tensors__come_back(federation: Federation) -> None:
    spec = ModelSpec(f"{__name__}:with_statistics", (1, 8, 8), 3)
    state = spec.initial_state(4)
    room = SharedState(spec)
    room.write(state)
    read = room.read()
    assert equal(read, state)
    assert {tensor.dtype for tensor in read.values()} == {torch.float32, torch.int64}


def test_shared_state__lent__is_given_back_once_no_part_is_held(federation: Federation) -> None:
    room = SharedState(federation.model)
    room.write(federation.initial_state())
    told: list[bool] = []
    lent = room.lend(lambda: told.append(True))
    assert equal(lent, federation.initial_state())
    part = lent["0.bias"][1:]
    del lent
    gc.collect()
    assert not told
    del part
    assert told == [True]


def with_statistics(input_shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    """Of tensors of two types and no dimension."""
    return torch.nn.Sequential(
        torch.nn.BatchNorm2d(input_shape[0]), torch.nn.Flatten(), torch.nn.Linear(64 * input_shape[0], classes)
    )


# Who plays


def test_open_crew__little_to_do__is_this_process(federation: Federation) -> None:
    assert count_workers(federation) == 0
    with open_crew(federation) as crew:
        assert isinstance(crew, InProcess)


def test_open_crew__much_to_do__is_a_worker_for_each_core(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fl.training.crews.pool.cpu_count", lambda: 2)
    long = replace(federation, config=replace(federation.config, rounds=10**5))
    assert count_workers(long) == 2
    assert count_workers(long, first_round=10**5 - 1) == 0
    assert count_workers(with_station(long, threads=2)) == 0
    with open_crew(long) as crew:
        assert isinstance(crew, Pool)
    monkeypatch.setattr("fl.training.crews.pool.cpu_count", lambda: 64)
    assert count_workers(long) == 3, "no more than base stations"


@pytest.mark.parametrize(
    ("workers", "threads", "text"),
    [
        (-1, 1, "workers must be at least 0, not -1"),
        (2, 2, "worker processes compute with one thread each: use --workers 0"),
    ],
)
def test_open_crew__workers_that_cannot_be__is_refused(
    federation: Federation, workers: int, threads: int, text: str
) -> None:
    with pytest.raises(TrainingError, match=text):
        open_crew(with_station(federation, threads=threads), workers)


# Ends


def test_pool__closed__leaves_no_process(federation: Federation) -> None:
    before = set(children(os.getpid()))
    with Pool(federation, 3) as crew:
        assert len(set(children(os.getpid())) - before) == 3
        list(train(federation, crew=crew))
    assert set(children(os.getpid())) == before
    with pytest.raises(WorkerError, match="the worker processes have ended"):
        crew.evaluate(federation.initial_state())


def test_pool__more_workers_than_base_stations__starts_one_for_each(federation: Federation) -> None:
    before = set(children(os.getpid()))
    with open_crew(federation, 10**9):
        assert len(set(children(os.getpid())) - before) == 3


def test_train__worker_killed__is_one_error_and_the_checkpoint_stands(federation: Federation, tmp_path: Path) -> None:
    expected = undisturbed(train_in(tmp_path / "whole", federation))
    before = set(children(os.getpid()))

    def rounds() -> Iterator[None]:
        from fl.training.command.options import Options
        from fl.training.command.run import run

        for _ in run(federation, Options(federation.config, tmp_path / "run", workers=2)):
            yield

    playing = rounds()
    next(playing)
    victims = set(children(os.getpid())) - before
    os.kill(min(victims), signal.SIGKILL)
    with pytest.raises(WorkerError, match="a worker process was ended by SIGKILL, perhaps for lack of memory"):
        next(playing)
    assert not any(is_running(each) for each in victims)
    assert undisturbed(train_in(tmp_path / "run", federation)) == expected


def test_command__worker_killed__is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = InProcess.combine

    def kill_one(crew: Pool, *arguments: object) -> object:
        os.kill(crew._hands[0].process.pid or 0, signal.SIGKILL)
        return real(crew, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Pool, "combine", kill_one)
    monkeypatch.setattr(sys, "argv", ["fl.training", "--targets", "0,1", "--train-images", "80", "--workers", "2"])
    assert main() == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: a worker process was ended by SIGKILL")


def test_command__killed_while_workers_play__leaves_no_process(tmp_path: Path) -> None:
    """Of other signals, test_faults.py."""
    arguments = (*FEW_IMAGES, "--workers", "2", "--local-epochs", "5000", "--stations", "2", "--out", str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-m", "fl.training", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: process.poll() is not None or len(children(process.pid)) == 2)
    workers = children(process.pid)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert len(workers) == 2
    wait_until(lambda: not any(is_running(worker) for worker in workers))


def test_play__not_wanted_to_the_end__ends_the_workers(federation: Federation) -> None:
    """Replies that nobody waits for would be taken for those to later tasks."""
    with Pool(federation, 2) as crew:
        rounds = crew.play(federation.initial_state(), 0, [0, 1, 2])
        next(iter(rounds))
        rounds.close()  # type: ignore[attr-defined]
        with pytest.raises(WorkerError, match="the worker processes have ended"):
            crew.evaluate(federation.initial_state())


def test_worker__unexpected_error__is_raised_here_with_its_traceback(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("fl.training.crews.worker.play_station", broken)
    with Pool(federation, 2) as crew, pytest.raises(RuntimeError, match="out of memory") as caught:
        list(crew.play(federation.initial_state(), 0, [0]))
    assert "in a worker process:\nTraceback" in caught.value.__notes__[0]


def test_logging__in_workers__keeps_the_level_of_this_process(federation: Federation) -> None:
    bad = replace(federation, stations=(without_numbers(federation.stations[0], (0,)), *federation.stations[1:]))
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    package = logging.getLogger("fl.training")
    package.addHandler(handler)
    try:
        with Pool(bad, 2) as crew:
            list(crew.play(bad.initial_state(), 0, [0]))
    finally:
        package.removeHandler(handler)
    assert [record.getMessage()[:48] for record in seen] == ["global round 0, base station 0, client 0: the lo"]
