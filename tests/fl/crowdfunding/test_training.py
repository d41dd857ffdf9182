"""The chain as a crew, and what owners measure of it, with a book for a chain; `test_play` plays on a real one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from fl.artefacts import ArtefactStore, from_chain, to_chain
from fl.crowdfunding.crew import NO_UPDATE, Recorded
from fl.crowdfunding.training import Training, measure_points, train, with_own_data
from fl.crowdfunding.watcher import Watcher
from fl.market.members import UPHOLD_WITHIN
from fl.market.merkle import updates_root
from fl.market.terms import Role
from fl.record.history import MemberRecord, RoundRecord
from fl.training import cloud
from fl.training.config import METHODS, Rule, StationConfig, TrainingConfig
from fl.training.contribution.points import TOTAL_POINTS, contribution_points, total_margins
from fl.training.crews.crew import InProcess
from fl.training.data.dataset import Samples
from fl.training.errors import DivergedError
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import load_model, save_model
from fl.training.model.spec import ModelSpec
from fl.training.station import Station
from fl.training.update import load_update, save_update


@dataclass
class Book:
    """Notes what is recorded, as the contract does."""

    stations: int = 3
    updates: list[tuple[str, int, bytes]] = field(default_factory=list)
    rounds: list[tuple[int, bytes, bytes]] = field(default_factory=list)

    def record_update(self, account: str, round_id: int, number: int, digest: bytes) -> None:
        self.updates.append((account, number, digest))

    def record_global_round(self, account: str, round_id: int, number: int, digest: bytes, root: bytes) -> None:
        self.rounds.append((number, digest, root))


@dataclass(frozen=True)
class Party:
    """What training needs to know of a member."""

    name: str
    account: str
    address: str
    round_id: int = 0


def party(number: int) -> Party:
    return Party(f"member {number}", f"account {number}", f"0x{number:040x}")


@pytest.fixture(scope="module")
def federation() -> Federation:
    config = TrainingConfig(
        targets=("0", "1", "7"), train_images=120, stations=3, rounds=2, station=StationConfig(1, 1)
    )
    return build_federation(config)


def sick(station: Station) -> Station:
    clients = tuple(Samples(torch.full(each.images.shape, float("nan")), each.labels) for each in station.clients)
    return replace(station, clients=clients)


def play(federation: Federation, folder: Path, **how: Any) -> tuple[Training, Book, ArtefactStore]:
    book, store = Book(len(federation.stations)), ArtefactStore(folder)
    market: Any = book
    winner: Any = party(9)
    stations: Any = [party(index) for index in range(len(federation.stations))]
    config, model, crew = federation.config, federation.model, InProcess(federation)
    return (
        train(market, config, model, crew, winner, stations, store, lambda: record_of(book), Watcher(), **how),
        book,
        store,
    )


def points_of(federation: Federation, training: Training, book: Book, store: ArtefactStore) -> dict[str, int]:
    """What an owner with the federation's test images finds right."""
    initial, judge = training.initial_digest, federation.evaluate
    return measure_points(federation.config, federation.model, store, record_of(book), initial, judge)


def record_of(book: Book) -> RoundRecord:
    """What the chain would say of it: so many base stations that committed."""
    record = RoundRecord(0, None, b"")  # type: ignore[arg-type]
    for index in range(book.stations):
        member = party(index)
        updates = {number: digest for account, number, digest in book.updates if account == member.account}
        entry = MemberRecord(member.address, Role.BASE_STATION, 1, 0, committed=True, updates=updates)
        record.members[member.address] = entry
    record.global_rounds = {number: (digest, root) for number, digest, root in book.rounds}
    return record


def test_train__one_station_diverges__records_that_it_was_there_and_the_others_go_on(
    federation: Federation, tmp_path: Path
) -> None:
    stations = (federation.stations[0], sick(federation.stations[1]), federation.stations[2])
    training, book, store = play(replace(federation, stations=stations), tmp_path)
    assert [(account, number) for account, number, _ in book.updates] == [
        (f"account {station}", number) for number in (0, 1) for station in (0, 1, 2)
    ]
    assert [number for number, *_ in book.rounds] == [0, 1]
    of_1 = [digest for account, _, digest in book.updates if account == "account 1"]
    assert of_1 == [NO_UPDATE, NO_UPDATE]
    digests = [digest for _, _, digest in book.updates if digest != NO_UPDATE]
    recorded = [load_update(store.get(from_chain(digest)), federation.model) for digest in digests]
    assert [update.station for update in recorded] == [0, 2, 0, 2]
    sent = [(party(update.station).address, digest) for update, digest in zip(recorded, digests, strict=True)]
    assert [root for *_, root in book.rounds] == [updates_root(sent[:2]), updates_root(sent[2:])]
    points = points_of(federation, training, book, store)
    assert set(points) == {party(0).address, party(2).address}, "attendance alone earns no points"


def test_train__station_that_leaves_early__records_in_order_while_it_is_there(
    federation: Federation, tmp_path: Path
) -> None:
    _, book, _ = play(federation, tmp_path, present={1: 1, 2: 0})
    assert [(account, number) for account, number, _ in book.updates] == [
        ("account 0", 0),
        ("account 1", 0),
        ("account 0", 1),
    ]


# ── what an owner measures ──


def test_own_data__of_each_owner__is_half_of_the_test_images_and_its_own(federation: Federation) -> None:
    test = federation.dataset.test
    halves = [with_own_data(federation, owner).dataset.test for owner in (0, 1, 0)]
    assert {len(half) for half in halves} == {(len(test) + 1) // 2}
    assert torch.equal(halves[0].images, halves[2].images)
    assert not torch.equal(halves[0].images, halves[1].images)
    whole = {bytes(image.numpy().tobytes()) for image in test.images}
    assert all(bytes(image.numpy().tobytes()) in whole for half in halves for image in half.images)


def test_contributions__honest_stations__measured_alike_by_every_owner(federation: Federation, tmp_path: Path) -> None:
    training, book, store = play(federation, tmp_path)
    measured = [points_of(with_own_data(federation, owner), training, book, store) for owner in range(4)]
    for points in measured:
        assert sum(points.values()) == TOTAL_POINTS
        assert all(0 < each <= 2 * TOTAL_POINTS // 3 for each in points.values())
        for address, each in points.items():
            assert abs(each - measured[0][address]) <= UPHOLD_WITHIN


def test_contributions__of_one_station_in_three__cannot_add_up_and_are_none(
    federation: Federation, tmp_path: Path
) -> None:
    training, book, store = play(federation, tmp_path, present={1: 0, 2: 0})
    assert points_of(federation, training, book, store) == {}


def test_contributions__update_that_names_another_station__counts_for_who_recorded_it(
    federation: Federation, tmp_path: Path
) -> None:
    """What an artefact says of its sender is the sender's word."""
    training, book, store = play(federation, tmp_path, present={2: 0})
    account, number, digest = book.updates[1]
    named = replace(load_update(store.get(from_chain(digest)), federation.model), station=0)
    book.updates[1] = (account, number, to_chain(store.put(save_update(named))))
    assert set(points_of(federation, training, book, store)) == {party(0).address, party(1).address}


def test_train__all_stations_diverge__ends_with_the_reason(federation: Federation, tmp_path: Path) -> None:
    stations = tuple(sick(station) for station in federation.stations)
    with pytest.raises(DivergedError, match="global round 0, base station 0, client 0: the loss became nan"):
        play(replace(federation, stations=stations), tmp_path)


def another_model(federation: Federation) -> bytes:
    other = ModelSpec("small-cnn", (1, 8, 8), 4)
    update = replace(federation.stations[0], model=other).train_round(other.initial_state(0), 0)
    return save_update(update)


def no_number(federation: Federation) -> bytes:
    update = federation.stations[0].train_round(federation.initial_state(), 0)
    return save_update(replace(update, state={name: each * float("nan") for name, each in update.state.items()}))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (another_model, r"holds small-cnn of 4 classes .* not small-cnn of 3 classes"),
        (no_number, "no finite number"),
        (lambda federation: b"nonsense", "not"),
        (None, "no artefact"),
    ],
    ids=["another model", "not a number", "no model", "nothing stored"],
)
def test_recorded__update_that_nobody_can_use__counts_as_wrong_and_says_why(
    federation: Federation, tmp_path: Path, made: Callable[[Federation], bytes] | None, reason: str
) -> None:
    """The winner expects the model that it proposed: an artefact cannot make it import a factory."""
    _, book, store = play(federation, tmp_path)
    digest = "0x" + "5a" * 32 if made is None else store.put(made(federation))
    account, number, _ = book.updates[1]
    book.updates[1] = (account, number, to_chain(digest))
    crew = Recorded(federation.model, lambda: record_of(book), store, federation.evaluate)
    first, bad, last = crew.play(federation.initial_state(), 0, range(3))
    assert bad.update is None and bad.diverged
    assert re.search(reason, bad.reason)
    assert first.update is not None and last.update is not None


# ── the loop, from what others recorded ──


@pytest.mark.parametrize("changes", [{}, {"rule": Rule("median")}, {"server_momentum": 0.5}], ids=str)
def test_recorded__played_again_round_by_round__is_what_the_winner_recorded(
    federation: Federation, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Whoever has settings, model and test images needs nothing else of the parties that trained."""
    federation = replace(federation, config=replace(federation.config, **changes))
    training, book, store = play(federation, tmp_path)
    crew = Recorded(federation.model, lambda: record_of(book), store, federation.evaluate)
    _, state = load_model(store.get(training.initial_digest), federation.model)
    velocity = None
    for recorded in training.global_rounds:
        done = next(
            cloud.train(
                federation.config,
                federation.model,
                crew,
                first_round=recorded.number,
                state=state,
                velocity=velocity,
            )
        )
        assert store.put(save_model(federation.model, done.state, global_round=recorded.number)) == recorded.digest
        assert done.evaluation == recorded.evaluation
        state, velocity = done.state, done.velocity


def test_train__trimmed_mean_and_a_station_without_update__tolerates_one_less(
    federation: Federation, tmp_path: Path
) -> None:
    """Two updates cannot outvote a wrong one of three; the one that is missing is that one, and needs no outvoting."""
    config = replace(federation.config, rule=Rule("trimmed-mean", 1))
    stations = (federation.stations[0], sick(federation.stations[1]), federation.stations[2])
    training, _, store = play(replace(federation, config=config, stations=stations), tmp_path)
    digests = [training.initial_digest, *(done.digest for done in training.global_rounds)]
    states = [load_model(store.get(digest), federation.model)[1] for digest in digests]
    for before, after in pairwise(states):
        assert any(not torch.equal(before[name], after[name]) for name in before), "the model has learned something"


@pytest.mark.parametrize("method", METHODS[1:])
def test_points__by_each_method__are_those_of_the_loop(federation: Federation, tmp_path: Path, method: str) -> None:
    """An owner finds from the chain what `python -m fl.training` finds where it trains."""
    federation = replace(federation, config=replace(federation.config, contribution=method))
    training, book, store = play(federation, tmp_path)
    loop = [done.contributions for done in cloud.train(federation.config, federation.model, InProcess(federation))]
    expected = contribution_points(list(total_margins(loop).values()), most=2 * TOTAL_POINTS // 3)
    found = points_of(federation, training, book, store)
    assert [found[party(index).address] for index in range(3)] == expected
