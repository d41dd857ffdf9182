"""FedAvg as a special case, FedProx, the server's momentum."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from fl.training.averaging.aggregate import aggregate
from fl.training.config import StationConfig
from fl.training.data.dataset import Dataset, to_input
from fl.training.federation import Federation
from fl.training.seeds import Stream, derive_seed
from tests.fl.training.support import copy_state, equal, train, with_station
from tests.support.drift import assert_trained_alike, in_float64

CreateFederation = Callable[..., Federation]


# FedAvg


def textbook_fedavg(federation: Federation, rounds: int) -> nn.Module:
    """McMahan et al. 2017, Algorithm 1, written down once more: torch's optimiser, single precision, one loop."""
    config = federation.stations[0].config
    server = federation.model.build()
    server.load_state_dict(federation.initial_state())
    clients = [
        (station.index, number, data) for station in federation.stations for number, data in enumerate(station.clients)
    ]
    total = sum(len(data) for _, _, data in clients)
    for global_round in range(rounds):
        combined = [torch.zeros_like(parameter) for parameter in server.parameters()]
        for station, number, data in clients:
            local = federation.model.build()
            local.load_state_dict(server.state_dict())
            optimiser = torch.optim.SGD(local.parameters(), lr=config.learning_rate, momentum=config.momentum)
            seed = derive_seed(federation.config.seed, Stream.CLIENT, global_round, 0, station, number)
            random = torch.Generator().manual_seed(seed)
            for _ in range(config.local_epochs):
                for batch in torch.randperm(len(data), generator=random).split(config.batch_size):
                    optimiser.zero_grad()
                    functional.cross_entropy(local(to_input(data.inputs[batch])), data.labels[batch]).backward()
                    optimiser.step()
            for sum_, parameter in zip(combined, local.parameters(), strict=True):
                sum_ += parameter.detach() * (len(data) / total)
        with torch.no_grad():
            for parameter, mean in zip(server.parameters(), combined, strict=True):
                parameter.copy_(mean)
    return server


@pytest.mark.parametrize(("stations", "clients"), [(1, 6), (3, 2), (6, 1)])
@in_float64()
def test_train__one_edge_aggregation__is_the_textbooks_fedavg(
    create_federation: CreateFederation, stations: int, clients: int
) -> None:
    federation = create_federation(stations=stations, clients=clients, alpha=0.5, local_epochs=2, train_images=90)
    *_, last = train(federation)
    expected = textbook_fedavg(federation, rounds=2).state_dict()
    assert_trained_alike(last.state, expected, federation.initial_state())


def test_train__two_edge_aggregations__is_not_fedavg(create_federation: CreateFederation) -> None:
    federation = create_federation(stations=3, clients=2, edge_aggregations=2, train_images=90)
    *_, last = train(federation)
    expected = dict(textbook_fedavg(federation, rounds=2).state_dict())
    assert max(float((last.state[name] - expected[name]).abs().max()) for name in expected) > 1e-3


# FedProx


@in_float64()
def test_client__proximal_term__is_the_gradient_of_its_square(create_federation: CreateFederation) -> None:
    federation = create_federation(stations=1, clients=1, train_images=60)
    config = StationConfig(
        local_epochs=2, edge_aggregations=1, batch_size=60, learning_rate=0.1, momentum=0.0, proximal=0.7
    )
    (station,) = with_station(federation, **vars(config)).stations
    start = federation.initial_state()
    module = federation.model.build()
    module.load_state_dict(start)
    anchors = [parameter.detach().clone() for parameter in module.parameters()]
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        loss = functional.cross_entropy(module(to_input(station.clients[0].inputs)), station.clients[0].labels)
        distance = sum(((p - a) ** 2).sum() for p, a in zip(module.parameters(), anchors, strict=True))
        (loss + 0.7 / 2 * distance).backward()
        optimiser.step()
    assert_trained_alike(station.train_round(start, 0).state, copy_state(module), start)


def test_client__stronger_proximal_term__stays_nearer(create_federation: CreateFederation) -> None:
    federation = create_federation(stations=1, clients=1, local_epochs=4)
    start, distances = federation.initial_state(), []
    for proximal in (0.0, 1.0, 10.0):
        (station,) = with_station(federation, proximal=proximal).stations
        state = station.train_round(start, 0).state
        distances.append(sum(float(((state[name] - start[name]) ** 2).sum()) for name in start))
    assert distances[0] > 1.5 * distances[1] > 1.5 * distances[2]


# The server's momentum


def test_train__fedavgm__is_momentum_at_the_server(create_federation: CreateFederation) -> None:
    federation = create_federation(strategy="FedAvgM(momentum=0.5)", rounds=3)
    state, velocity = federation.initial_state(), None
    for done in train(federation):
        mean = aggregate(station.train_round(state, done.global_round) for station in federation.stations)
        step = {name: state[name] - mean[name] for name in state}
        velocity = step if velocity is None else {name: 0.5 * velocity[name] + step[name] for name in state}
        state = {name: state[name] - velocity[name] for name in state}
        assert done.carried.server
        torch.testing.assert_close(done.state, state)
        torch.testing.assert_close(done.carried.server, velocity)


def test_train__continued_with_momentum__needs_the_velocity(create_federation: CreateFederation) -> None:
    federation = create_federation(strategy="FedAvgM(momentum=0.5)", rounds=3)
    whole = list(train(federation))
    (_, good) = train(federation, state=whole[0].state, carried=whole[0].carried, first_round=1)
    (_, bad) = train(federation, state=whole[0].state, first_round=1)
    assert equal(good.state, whole[2].state)
    assert not equal(bad.state, whole[2].state)


def test_train__module_with_dropout__is_reproducible(digits: Dataset, create_federation: CreateFederation) -> None:
    federation = create_federation(model=f"{__name__}:with_dropout", rounds=1)
    torch.manual_seed(1)
    (first,) = train(federation)
    torch.manual_seed(2)
    (again,) = train(federation)
    assert equal(first.state, again.state)


def with_dropout(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    channels, height, width = input_shape
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(channels * height * width, classes))
