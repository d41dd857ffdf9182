"""The training of a round's parties where a base station has no update; `tests/e2e` plays it on a chain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fl.crowdfunding.training import NO_UPDATE, measure_contributions, train, with_own_data
from fl.market.members import UPHOLD_WITHIN

from fl.crowdfunding.watcher import Watcher
from fl.market.merkle import updates_root
from fl.market.terms import Role
from fl.record.history import MemberRecord, RoundRecord
from fl.store.artefacts import ArtefactStore, from_chain, to_chain
from fl.store.files import Files
from fl.training.config import StationConfig, TrainingConfig
from fl.training.contribution.points import TOTAL_POINTS
from fl.training.data.dataset import Samples
from fl.training.errors import DivergedError, ModelError
from fl.training.federation import Federation, build_federation
from fl.training.model.spec import ModelSpec
from fl.training.station import Station
from fl.training.update import load_update, save_update


@dataclass
class Book:
    """Notes what is recorded, as the contract does."""

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


def play(federation: Federation, folder: Path, **how: Any) -> tuple[Any, Book, ArtefactStore]:
    book, store = Book(), ArtefactStore(Files(folder))
    stations: Any = [(index, party(index)) for index in range(3)]
    market: Any = book
    winner: Any = party(9)
    return train(market, federation, winner, stations, store, Watcher(), **how), book, store


def record_of(book: Book) -> RoundRecord:
    """What the chain would say of it: three base stations that committed."""
    record = RoundRecord(0, None, b"")  # type: ignore[arg-type]
    for index in range(3):
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
    points = measure_contributions(federation, store, record_of(book), training.initial_digest)
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
    measured = [
        measure_contributions(with_own_data(federation, owner), store, record_of(book), training.initial_digest)
        for owner in range(4)
    ]
    for points in measured:
        assert sum(points.values()) == TOTAL_POINTS
        assert all(0 < each <= 2 * TOTAL_POINTS // 3 for each in points.values())
        for address, each in points.items():
            assert abs(each - measured[0][address]) <= UPHOLD_WITHIN


def test_contributions__of_one_station_in_three__cannot_add_up_and_are_none(
    federation: Federation, tmp_path: Path
) -> None:
    training, book, store = play(federation, tmp_path, present={1: 0, 2: 0})
    assert measure_contributions(federation, store, record_of(book), training.initial_digest) == {}


def test_contributions__update_that_names_another_station__counts_for_who_recorded_it(
    federation: Federation, tmp_path: Path
) -> None:
    """What an artefact says of its sender is the sender's word."""
    training, book, store = play(federation, tmp_path, present={2: 0})
    account, number, digest = book.updates[1]
    named = replace(load_update(store.get(from_chain(digest)), federation.model), station=0)
    book.updates[1] = (account, number, to_chain(store.put(save_update(named))))
    points = measure_contributions(federation, store, record_of(book), training.initial_digest)
    assert set(points) == {party(0).address, party(1).address}


def test_train__all_stations_diverge__ends_with_the_reason(federation: Federation, tmp_path: Path) -> None:
    stations = tuple(sick(station) for station in federation.stations)
    with pytest.raises(DivergedError, match="global round 0, base station 0, client 0: the loss became nan"):
        play(replace(federation, stations=stations), tmp_path)


def test_train__station_uploads_another_model__is_refused_by_name(federation: Federation, tmp_path: Path) -> None:
    """The winner expects the model that it proposed: an artefact cannot make it import a factory."""
    other = ModelSpec("small-cnn", (1, 8, 8), 4)
    odd = replace(federation.stations[0], model=other)

    class Impostor(Station):
        def train_round(self, *_: Any) -> Any:
            update = odd.train_round(other.initial_state(0), 0)
            return replace(update, global_round=0)

    first = federation.stations[0]
    impostor = Impostor(first.index, first.model, first.clients, first.config, first.seed)
    with pytest.raises(ModelError, match=r"holds small-cnn of 4 classes .* not small-cnn of 3 classes"):
        play(replace(federation, stations=(impostor, *federation.stations[1:])), tmp_path)
