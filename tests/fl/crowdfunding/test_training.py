"""The training of a round's parties where a base station has no update; `tests/e2e` plays it on a chain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fl.artefacts import ArtefactStore, from_chain
from fl.crowdfunding.training import train
from fl.crowdfunding.watcher import Watcher
from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.dataset import Samples
from fl.training.errors import DivergedError, ModelError
from fl.training.federation import Federation, build_federation
from fl.training.model.spec import ModelSpec
from fl.training.station import Station
from fl.training.update import load_update


@dataclass
class Book:
    """Notes what is recorded, as the contract does."""

    updates: list[tuple[str, int, bytes]] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)

    def record_update(self, account: str, round_id: int, epoch: int, digest: bytes) -> None:
        self.updates.append((account, epoch, digest))

    def record_global_round(self, account: str, round_id: int, epoch: int, digest: bytes, root: bytes) -> None:
        self.rounds.append(epoch)


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


def play(federation: Federation, folder: Path) -> tuple[Any, Book, ArtefactStore]:
    book, store = Book(), ArtefactStore(folder)
    stations: Any = [(index, party(index)) for index in range(3)]
    market, winner = book, party(9)
    return train(market, federation, winner, stations, store, Watcher()), book, store  # type: ignore[arg-type]


def test_train__one_station_diverges__is_absent_and_the_others_go_on(federation: Federation, tmp_path: Path) -> None:
    stations = (federation.stations[0], sick(federation.stations[1]), federation.stations[2])
    training, book, store = play(replace(federation, stations=stations), tmp_path)
    assert [(account, epoch) for account, epoch, _ in book.updates] == [
        (f"account {station}", epoch) for epoch in (0, 1) for station in (0, 2)
    ]
    assert book.rounds == [0, 1]
    assert set(training.margins) == {0, 2}
    recorded = [load_update(store.get(from_chain(digest)), federation.model) for _, _, digest in book.updates]
    assert [update.station for update in recorded] == [0, 2, 0, 2]


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
