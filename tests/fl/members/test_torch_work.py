"""Training and judging behind the protocols of `fl.members.work`, without a chain: `test_hostile` plays it on one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from fl.crowdfunding.simulated import with_own_data
from fl.members.audit import UPHOLD_WITHIN
from fl.members.order import Order
from fl.members.torch_work import Offer, TorchOwner, TorchStation
from fl.members.work import Delivered, WorkError, WrongArtefact, weight_of
from fl.training.cloud import train
from fl.training.config import NOISE_AT, Privacy, Rule, StationConfig, TrainingConfig
from fl.training.contribution.points import TOTAL_POINTS
from fl.training.crews.crew import InProcess
from fl.training.data.dataset import Samples
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import load_model, save_model
from fl.training.model.spec import ModelSpec
from fl.training.update import load_update, save_update
from tests.fl.store.test_texts import NAMED
from tests.fl.store.test_texts import STATIONS as STATIONS_TEXT

STATIONS = 5
TARGETS = ("0", "1", "7")


@dataclass(frozen=True)
class Market:
    """Owners and base stations of a federation, and the first's order."""

    federation: Federation
    owners: tuple[TorchOwner, ...]
    station: TorchStation
    order: Order
    initial: bytes

    def update(self, station: int, model: bytes | None = None, number: int = 0) -> Delivered:
        """A base station's honest update."""
        data = self.station.train(self.order, station, model or self.initial, number)
        return Delivered(station, data, self.station.samples(self.order, station))

    def rounds(self, stations: Sequence[int], count: int = 2) -> list[tuple[bytes, list[Delivered]]]:
        """Global rounds of these, each with the model that it starts from."""
        model, played = self.initial, []
        for number in range(count):
            updates = [self.update(station, model, number) for station in stations]
            played.append((model, updates))
            model = self.owners[0].aggregate(self.order, number, model, updates, 0).model
        return played


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(Rule())


def market_of(rule: Rule) -> Market:
    config = TrainingConfig(
        targets=TARGETS, train_images=300, stations=STATIONS, rounds=2, station=StationConfig(2, 1), rule=rule
    )
    federation = build_federation(config)
    offer = Offer(replace(config, model=federation.model.name), federation.stations[0].config, 8_500)

    def owner(index: int, offered: Offer | None) -> TorchOwner:
        test = with_own_data(federation, index).dataset.test
        return TorchOwner(lambda targets: test, offered)

    first = owner(0, offer)
    proposal = first.proposal()
    order = Order(TARGETS, proposal.stations)
    station = TorchStation(lambda order, index: federation.stations[index].clients)
    return Market(federation, (first, *(owner(index, None) for index in (1, 2, 3))), station, order, proposal.initial)


# ── base stations ──


def test_samples__of_a_base_station__are_all_of_its_clients_images(market: Market) -> None:
    for index, station in enumerate(market.federation.stations):
        assert market.station.samples(market.order, index) == sum(len(client) for client in station.clients)


def hiding(market: Market, privacy: Privacy, secret: bytes | None = b"1") -> TorchStation:
    """The base stations, which hide their clients."""
    return TorchStation(market.station.clients_of, privacy, secret)


@pytest.mark.parametrize("at", NOISE_AT)
def test_train__clients_hidden__follows_from_a_secret_of_its_own(market: Market, at: str) -> None:
    """The order's seed is everyone's: with the noise from that, everyone could take it off."""
    privacy = Privacy(0.1, 0.1, at)
    first, again, others = (
        hiding(market, privacy, secret).train(market.order, 0, market.initial, 0) for secret in (b"1", b"1", b"2")
    )
    assert first == again
    assert len({first, others, market.update(0).data}) == 3


@pytest.mark.parametrize("at", NOISE_AT)
def test_train__clients_hidden_in_another_training__does_not_take_the_same_noise(market: Market, at: str) -> None:
    """Two updates with the same noise differ by what it was to hide: here by twice the norm at most.

    As where a member goes on with an old copy of its journal, and of its data: an image more, an order in another form.
    """
    privacy, clients = Privacy(1e-3, 1.0, at), market.station.clients_of
    order = replace(market.order, text=replace(market.order.text, seed=market.order.text.seed + 1))

    def less(order: Order, station: int) -> list[Samples]:
        first, *others = clients(order, station)
        return [first.take(np.arange(1, len(first))), *others]

    trained = [
        load_update(TorchStation(of, privacy, b"1").train(asked, 0, market.initial, 0)).state
        for of, asked in ((clients, market.order), (less, market.order), (clients, order))
    ]
    count = sum(tensor.numel() for tensor in trained[0].values())
    for one, other in combinations(trained, 2):
        apart = math.sqrt(sum(float((one[name] - other[name]).double().square().sum()) for name in one))
        assert apart > 0.1 * 1e-3 * math.sqrt(count), "noise is over both"
        assert apart > 4 * 1e-3


def test_train__clients_hidden_without_a_secret__is_refused(market: Market) -> None:
    with pytest.raises(WorkError, match="there is no secret to draw the noise from that hides clients"):
        hiding(market, Privacy(1.0, 1.0), None).train(market.order, 0, market.initial, 0)


def test_order__of_a_rule_that_hides_nobody__is_refused(market: Market) -> None:
    order = replace(market.order, text=replace(market.order.text, edge_rule="median"))
    with pytest.raises(WorkError, match="noise at the base station hides a client in a mean, not in a median"):
        hiding(market, Privacy(1.0, 1.0)).samples(order, 0)
    assert hiding(market, Privacy(1.0, 1.0, at="client")).samples(order, 0) == market.station.samples(order, 0)


@pytest.mark.parametrize("name", [name for name in NAMED if name != "strategy"])
def test_train__each_thing_that_an_order_names__makes_another_update(market: Market, name: str) -> None:
    """The schedule's rate is another from its second step on."""
    changes = {**NAMED, "schedule": "StepLR(step_size=1)", "gradient_clip": "0.1"}
    order = replace(market.order, text=replace(market.order.text, **{name: changes[name]}))
    assert market.station.train(order, 0, market.initial, 1) != market.update(0, number=1).data


def test_order__that_augments_what_is_no_image__is_refused() -> None:
    vectors = Samples(torch.zeros(4, 3), torch.zeros(4, dtype=torch.long))
    text = replace(STATIONS_TEXT, dataset="digits", model="linear", augment=True, parameters=12)
    with pytest.raises(WorkError, match=r"the order augments images, and inputs of shape \(3,\) are none"):
        TorchStation(lambda *_: [vectors]).samples(Order(TARGETS, text), 0)


def test_train__broken_images__says_that_no_update_came_of_it(market: Market) -> None:
    clients = [
        Samples(torch.full(each.inputs.shape, float("nan")), each.labels)
        for each in market.federation.stations[0].clients
    ]
    with pytest.raises(WorkError, match="the loss became nan"):
        TorchStation(lambda *_: clients).train(market.order, 0, market.initial, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"model": "os:system"}, "code that another names is not imported"),
        ({"model": "vgg"}, "the model .vgg. is not offered here"),
        ({"rule": "best"}, "cannot be followed"),
        ({"optimizer": "os:system"}, "code that another names is not imported"),
        ({"strategy": "SCAFFOLD"}, "signed updates do not bring that"),
        ({"learning_rate": "0"}, "cannot be followed"),
        ({"parameters": 2**28}, "says that its model has 268,435,456 parameters, and small-cnn has"),
    ],
)
def test_order__that_names_what_the_engine_does_not_have__refused(
    market: Market, text: dict[str, Any], said: str
) -> None:
    order = replace(market.order, text=replace(market.order.text, **text))
    with pytest.raises(WrongArtefact, match=said):
        market.station.samples(order, 0)


# ── the winner ──


def test_check__update_of_another_model_station_or_round__refused_by_name(market: Market) -> None:
    owner, data = market.owners[0], market.update(1).data
    update = load_update(data)
    assert owner.check(market.order, 1, 0, data) == update.samples
    other = ModelSpec(update.model.name, update.model.input_shape, 4)
    wrong = {
        r"holds small-cnn of 4 classes .* not small-cnn of 3 classes": replace(
            update, model=other, state=other.initial_state(0)
        ),
        "of base station 0 in global round 1, not of 1": replace(update, station=0),
        "of base station 1 in global round 2, not of 1 in 1": replace(update, global_round=1),
    }
    for said, each in wrong.items():
        with pytest.raises(WrongArtefact, match=said):
            owner.check(market.order, 1, 0, save_update(each))


def test_aggregate__no_update_or_wrong_ones_alone__leaves_the_model_as_it_was(market: Market) -> None:
    owner = market.owners[0]
    for refused in (0, 3):
        kept = owner.aggregate(market.order, 0, market.initial, [], refused).model
        assert owner.judge(market.order, kept) == owner.judge(market.order, market.initial)


def test_aggregate__any_order_of_the_updates__the_same_bytes(market: Market) -> None:
    updates = [market.update(station) for station in (0, 2, 3)]
    one, other = (
        market.owners[0].aggregate(market.order, 0, market.initial, each, 0) for each in (updates, updates[::-1])
    )
    assert one == other


@pytest.mark.parametrize("strategy", ["FedAvgM(momentum=0.5)", "FedAdam(tau=0.01)"])
def test_aggregate__by_a_strategy__is_the_loops_from_what_was_carried(market: Market, strategy: str) -> None:
    """As `fl.training` trains alone; by anybody who holds the updates, and otherwise from nothing carried."""
    order = replace(market.order, text=replace(market.order.text, strategy=strategy))
    config = replace(market.federation.config, strategy=strategy)
    federation = replace(market.federation, config=config)
    winner, elector = market.owners[:2]
    model, carried = market.initial, b""
    for done in train(config, federation.model, InProcess(federation)):
        updates = [
            Delivered(index, market.station.train(order, index, model, done.global_round), samples)
            for index in range(STATIONS)
            for samples in [market.station.samples(order, index)]
        ]
        made = winner.aggregate(order, done.global_round, model, updates, 0, carried)
        assert made.model == save_model(federation.model, done.state, global_round=done.global_round)
        assert made == elector.aggregate(order, done.global_round, model, updates[::-1], 0, carried)
        assert (elector.aggregate(order, done.global_round, model, updates, 0) == made) is (done.global_round == 0)
        model, carried = made.model, made.carried


def test_aggregate__model_that_nobody_would_load__stays_as_it_was_and_so_does_what_is_carried(market: Market) -> None:
    """Momentum carries the second beyond what anybody takes from others."""
    order = replace(market.order, text=replace(market.order.text, strategy="FedAvgM(momentum=0.9999)"))
    update = load_update(market.update(0).data)
    huge = replace(update, state={name: tensor.sign() * 9e5 for name, tensor in update.state.items()})
    updates, owner = [Delivered(0, save_update(huge), 60)], market.owners[0]
    first = owner.aggregate(order, 0, market.initial, updates, 0)
    second = owner.aggregate(order, 1, first.model, updates, 0, first.carried)
    assert second == replace(first, model=save_model(*load_model(first.model), global_round=1))


def liar(market: Market, model: bytes, number: int) -> Delivered:
    """Trained on wrong labels, by who has 60 images and declares 100,000."""
    clients = [replace(each, labels=(each.labels + 1) % 3) for each in market.federation.stations[4].clients]
    data = TorchStation(lambda *_: clients).train(market.order, 4, model, number)
    return Delivered(4, data, 100_000)


def accuracy(market: Market, limit: int | None, *, lies: bool = True, rounds: int = 3) -> float:
    """Of the model after some rounds with a liar, an update weighing at most so many medians."""
    model = market.initial
    for _ in range(rounds):
        updates = [market.update(station, model, 0) for station in range(4)]
        if lies:
            updates.append(liar(market, model, 0))
        counts = [each.weight for each in updates]
        if limit is not None:
            updates = [replace(each, weight=weight_of(each.weight, counts, limit)) for each in updates]
        model = market.owners[0].aggregate(market.order, 0, model, updates, 0).model
    return market.owners[0].judge(market.order, model).accuracy


def test_weight__of_who_declares_100000_images__takes_no_model_over(market: Market) -> None:
    """Without a limit the liar alone makes the model; with a low one, or a robust rule, the others do.

    A limit of several medians only dampens it: among four others the accuracy is 0.8 at two medians, 0.5 at four.
    """
    alone, unlimited = accuracy(market, None, lies=False), accuracy(market, None)
    assert alone > 0.9 and unlimited < 0.3
    robust = market_of(Rule("trimmed-mean", 1))
    assert accuracy(market, 1) > alone - 0.05
    assert accuracy(robust, 4) > alone - 0.05


@pytest.mark.parametrize(
    ("samples", "others", "weight"),
    [(100_000, [100, 100, 100], 400), (399, [100, 100, 100], 399), (7, [100, 100], 7), (10**12, [], 10**12)],
)
def test_weight__at_most_four_medians(samples: int, others: list[int], weight: int) -> None:
    assert weight_of(samples, [*others, samples], 4) == min(weight, 4 * sorted([*others, samples])[len(others) // 2])


# ── electors ──


def test_points__of_honest_stations__measured_alike_by_every_owner(market: Market) -> None:
    rounds = market.rounds(range(3))
    measured = [owner.points(market.order, rounds, 3) for owner in market.owners]
    for points in measured:
        assert sum(points.values()) == TOTAL_POINTS
        assert all(0 < each <= 2 * TOTAL_POINTS // 3 for each in points.values())
        for station, each in points.items():
            assert abs(each - measured[0][station]) <= UPHOLD_WITHIN


def test_points__of_one_station_in_three__cannot_add_up_and_are_none(market: Market) -> None:
    assert market.owners[0].points(market.order, market.rounds([1]), 3) == {}


def test_points__attendance_alone__earns_none(market: Market) -> None:
    assert set(market.owners[0].points(market.order, market.rounds([0, 2]), 3)) == {0, 2}
