"""Base stations beside each other on a GPU; on a CPU, where threads do so too, all but the streams."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from fl.training.config import StationConfig, TrainingConfig
from fl.training.crews import streams
from fl.training.crews.crew import InProcess
from fl.training.crews.pool import count_workers, open_crew
from fl.training.crews.streams import Streams, hindrance
from fl.training.data.dataset import Dataset
from fl.training.errors import DivergedError, TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model import steps
from fl.training.station import Station
from tests.fl.training.support import equal, train, with_station, without_numbers
from tests.support.gpu import needs_gpu

CreateFederation = Callable[..., Federation]


def assert_same_rounds(crew: Streams, federation: Federation) -> None:
    for found, expected in zip(train(federation, crew), train(federation), strict=True):
        assert equal(found.state, expected.state)
        assert found.evaluation == expected.evaluation
        for update, other in zip(found.updates, expected.updates, strict=True):
            assert update.samples == other.samples and equal(update.state, other.state)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_streams__any_number__train_what_one_process_does(create_federation: CreateFederation, count: int) -> None:
    federation = create_federation(clients=2, stations=4, strategy="FedAvgM(momentum=0.5)")
    assert_same_rounds(Streams(federation, count), federation)


def test_streams__while_they_play__are_beside_each_other(
    create_federation: CreateFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until all have begun: one after the other, they would wait for ever."""
    federation, begun = create_federation(stations=3, rounds=1), threading.Barrier(3, timeout=30)
    play = Station.play

    def beside(self: Station, *given: object, **named: object) -> object:
        begun.wait()
        return play(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Station, "play", beside)
    assert len(list(train(federation, Streams(federation, 3)))) == 1


def test_streams__after_they_played__torchs_state_is_what_it_was(create_federation: CreateFederation) -> None:
    federation = create_federation(rounds=1)
    torch.manual_seed(7)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    crew = Streams(federation, 3)
    list(train(federation, crew))
    stopped = crew.play(federation.initial_state(), 0, range(3))
    next(stopped)
    stopped.close()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_streams__base_station_without_numbers__is_reported_and_the_others_go_on(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation(rounds=1)
    first, *others = federation.stations
    broken = replace(federation, stations=(without_numbers(first), *others))
    (done,) = train(broken, Streams(broken, 2))
    assert list(done.absent) == [0]
    everywhere = replace(federation, stations=tuple(map(without_numbers, federation.stations)))
    with pytest.raises(DivergedError):
        list(train(everywhere, Streams(everywhere, 2)))


def test_streams__error_in_one__is_the_callers(
    create_federation: CreateFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = create_federation(rounds=1)

    def fails(self: Station, *_: object) -> object:
        if self.index == 1:
            raise TrainingError("nobody can play this")
        return play(self, *_)  # type: ignore[arg-type]

    play = Station.play
    monkeypatch.setattr(Station, "play", fails)
    with pytest.raises(TrainingError, match="nobody can play this"):
        list(train(federation, Streams(federation, 2)))


def keeps(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(outputs, labels)


def test_hindrance__code_of_others__is_for_one_stream(create_federation: CreateFederation, digits: Dataset) -> None:
    """What it draws, or keeps, all threads would share."""
    assert not hindrance(create_federation())
    assert not hindrance(create_federation(strategy="FedAdam"))
    others = [
        with_station(create_federation(), transform="torch.nn.functional:relu"),
        with_station(create_federation(), loss=f"{__name__}:keeps"),
        build_federation(TrainingConfig(strategy="SCAFFOLD", station=StationConfig(momentum=0.0)), digits),
        build_federation(TrainingConfig(model="fl.training.model.spec:small_cnn", train_images=60), digits),
    ]
    for each in others:
        assert "what this library computes alone" in hindrance(each)
        with pytest.raises(TrainingError, match=r"streams are for what this library.*: use --workers 0"):
            Streams(each, 2)


def test_streams__no_memory_for_another__there_are_fewer(
    create_federation: CreateFederation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In the forward pass, where most of it is taken."""
    made: list[object] = []

    def record(compute: Callable[[], None], device: torch.device) -> Callable[[], None]:
        made.append(compute)
        compute()
        return compute

    def to_input(inputs: torch.Tensor) -> torch.Tensor:
        if len(made) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return scaled(inputs)

    scaled = steps.to_input
    monkeypatch.setattr(steps, "record_graph", record)
    monkeypatch.setattr(steps, "to_input", to_input)
    federation = with_station(create_federation(stations=4, clients=1, train_images=64), graphs=True)
    assert {len(client) for station in federation.stations for client in station.clients} == {16}
    crew = Streams(federation, 4)
    assert len(made) == 3
    assert "the GPU has memory for 2 streams" in caplog.text
    made.clear()
    assert_same_rounds(crew, federation)
    made += [None] * 3
    with pytest.raises(torch.OutOfMemoryError):
        Streams(federation, 2)


def test_streams__little_memory_left__there_are_fewer(
    create_federation: CreateFederation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What recorded steps take is never free again, and models are judged beside them."""
    free = [30, 25, 24]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free.pop(0), 100))
    has_room = streams._has_room
    monkeypatch.setattr(streams, "_has_room", lambda _: has_room(torch.device("cuda", 0)))
    federation = create_federation(stations=5)
    assert_same_rounds(Streams(federation, 5), federation)
    assert free == []
    assert "the GPU has memory for 3 streams" in caplog.text


def test_count_workers__on_a_gpu__is_streams_where_what_they_record_is_repaid(
    create_federation: CreateFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = with_station(create_federation(clients=2, stations=3, alpha=0.5), graphs=True)
    monkeypatch.setattr(Federation, "device", torch.device("cuda"))
    sizes = {
        size
        for station in federation.stations
        for each in map(len, station.clients)
        for size in (16 if each > 16 else each, each % 16)
        if size
    }
    assert len(sizes) > 2, "clients differ"
    steps = sum(-(-len(each) // 16) for station in federation.stations for each in station.clients)
    enough = -(-500 * 2 * len(sizes) // steps)
    longer = replace(federation, config=replace(federation.config, rounds=enough))
    assert count_workers(longer) == 3
    assert count_workers(longer, first_round=1) == 0
    assert count_workers(with_station(longer, local_epochs=2), first_round=enough // 2) == 3
    own = with_station(longer, transform="torch.nn.functional:relu")
    assert count_workers(own) == 0


def test_entered__error_inside__is_waited_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever catches it may free what the stream still reads."""
    waits: list[str] = []

    class Stream:
        def __init__(self, name: str):
            self.name = name

        def wait_stream(self, other: Stream) -> None:
            waits.append(f"{self.name} for {other.name}")

    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream("home"))
    for each in ("device", "stream"):
        monkeypatch.setattr(torch.cuda, each, lambda _: nullcontext())
    lane = streams.ModuleOnStream(torch.nn.Linear(1, 1))
    monkeypatch.setattr(lane, "_stream", Stream("lane"))
    with pytest.raises(KeyError), lane.entered():
        raise KeyError
    assert waits == ["lane for home", "home for lane"]


# ── on a GPU ──


def on_gpu(digits: Dataset, **changes: object) -> Federation:
    station = StationConfig(local_epochs=2, batch_size=16, learning_rate=0.05)
    config = TrainingConfig(train_images=400, stations=5, clients=2, rounds=3, device="cuda", station=station)
    return build_federation(replace(config, station=replace(station, **changes)), digits)  # type: ignore[arg-type]


@needs_gpu
@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"augment": True, "proximal": 0.1}])
def test_streams__on_a_gpu__train_the_bits_of_one(digits: Dataset, changes: dict[str, object]) -> None:
    federation = on_gpu(digits, **changes)
    assert federation.stations[0].config.graphs
    for _ in range(3):  # a race would show in some of them
        assert_same_rounds(Streams(federation, 5), federation)


@needs_gpu
def test_open_crew__on_a_gpu__is_streams_where_steps_are_recorded(digits: Dataset) -> None:
    federation = on_gpu(digits)
    federation = replace(federation, config=replace(federation.config, rounds=1_000))
    assert count_workers(federation) == 5
    with open_crew(federation) as crew:
        assert isinstance(crew, Streams)
    with open_crew(on_gpu(digits, graphs=False)) as crew:
        assert type(crew) is InProcess
    with pytest.raises(TrainingError, match="streams need recorded steps"):
        open_crew(on_gpu(digits, graphs=False), 2)
