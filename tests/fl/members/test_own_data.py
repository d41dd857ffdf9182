"""What a member trains on or judges by where it is its own, behind the protocols of `fl.members.work`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fl.members.configuration import Data
from fl.members.order import Order
from fl.members.own_data import OwnData
from fl.members.torch_work import Offer, TorchOwner, TorchStation
from fl.members.work import Delivered, WorkError, WrongArtefact
from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.dataset import Dataset, Samples

TARGETS = ("ill", "well")
OWN = Data("blood counts", function=f"{__name__}:blood_counts")
STATION = StationConfig(3, 1, batch_size=8, learning_rate=0.1)


def blood_counts() -> Dataset:
    random = torch.Generator().manual_seed(0)
    features = torch.randn(200, 6, generator=random)
    labels = (features[:, 0] > 0).long() + (features[:, 0] > 1).long()
    parts = (Samples(features[:120], labels[:120]), Samples(features[120:], labels[120:]))
    return Dataset("blood counts", ("ill", "well", "very well"), *parts)


def owner_of(data: Data) -> TorchOwner:
    settings = TrainingConfig(dataset=data.dataset, targets=TARGETS, model="mlp", rounds=1)
    return TorchOwner(OwnData(data).test_of, Offer(settings, STATION, 8_000))


def test_round__on_vectors_that_functions_of_the_members_own_load__is_trained_and_judged() -> None:
    owner, station = owner_of(OWN), TorchStation(OwnData(replace(OWN, part=(0, 2), clients=3)).clients_of)
    proposal = owner.proposal()
    order = Order(TARGETS, proposal.stations)
    assert (order.text.dataset, order.text.model) == ("blood counts", "mlp")
    data = station.train(order, 0, proposal.initial, 0)
    assert owner.check(order, 0, 0, data) == station.samples(order, 0)
    model = owner.aggregate(order, 0, proposal.initial, [Delivered(0, data, station.samples(order, 0))], 0).model
    before, after = (owner.judge(order, each).accuracy for each in (proposal.initial, model))
    assert after > 0.75 > before


def test_order__that_names_code__is_refused_and_nothing_of_it_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data, model and rule are named by whoever wrote the order."""
    (tmp_path / "trap.py").write_text("import pathlib; pathlib.Path(__file__).with_name('sprung').touch()")
    monkeypatch.syspath_prepend(tmp_path)
    proposal = owner_of(OWN).proposal()
    station = TorchStation(OwnData(OWN).clients_of)
    for changes in ({"dataset": "trap:load"}, {"model": "trap:net"}, {"rule": "trap:rule"}, {"edge_rule": "trap:rule"}):
        order = Order(TARGETS, replace(proposal.stations, **changes))
        with pytest.raises((WorkError, WrongArtefact)):
            station.train(order, 0, proposal.initial, 0)
    assert not (tmp_path / "sprung").exists()


def test_own_data__function_that_fails__is_said_in_one_line() -> None:
    order = Order(TARGETS, owner_of(OWN).proposal().stations)
    with pytest.raises(WorkError, match=r"own data cannot be used: the data set nowhere:load cannot be imported"):
        OwnData(replace(OWN, function="nowhere:load")).clients_of(order, 0)
    with pytest.raises(WorkError, match="the order is for blood counts, and this base station has digits"):
        OwnData(Data("digits")).clients_of(order, 0)


def test_own_data__of_an_owner__labels_that_nobody_has_are_the_proposals_fault_and_data_that_fail_its_own() -> None:
    """Electors measure 0 for the first, else nobody judges a winner that adds such a label; not for the second."""
    with pytest.raises(WrongArtefact, match="unknown target labels"):
        OwnData(OWN).test_of((*TARGETS, "nobody's"))
    with pytest.raises(WorkError) as failed:
        OwnData(replace(OWN, function="nowhere:load")).test_of(TARGETS)
    assert not isinstance(failed.value, WrongArtefact)
