"""Client sampling, dropouts and stragglers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.training.average import average
from fl.training.client import train_client
from fl.training.config import Rule, StationConfig
from fl.training.errors import TooFewError
from fl.training.federation import Federation
from fl.training.model.runtime import use_threads
from fl.training.participation import count_drawn, draw_clients, is_missing
from fl.training.seeds import Stream, derive_seed
from fl.training.station import Outcome
from tests.fl.training.support import copy_state, equal, train, with_station

CreateFederation = Callable[..., Federation]


configs = st.builds(
    StationConfig,
    local_epochs=st.integers(1, 5),
    client_fraction=st.floats(0.01, 1),
    client_dropout=st.floats(0, 0.9),
    stragglers=st.floats(0, 1),
    drop_stragglers=st.booleans(),
)


@given(configs, st.integers(1, 40), st.integers(0, 2**63 - 1))
def test_draw_clients__any_settings__draws_that_share_of_different_clients(
    config: StationConfig, clients: int, seed: int
) -> None:
    parts = draw_clients(config, clients, seed, 3, 1, 2)
    drawn = [part.client for part in parts]
    assert len(drawn) == count_drawn(config, clients) == max(1, round(config.client_fraction * clients))
    assert drawn == sorted(set(drawn)) and drawn[0] >= 0 and drawn[-1] < clients
    assert all(1 <= part.epochs <= config.local_epochs for part in parts)
    assert parts == draw_clients(config, clients, seed, 3, 1, 2)
    if config.stragglers == config.client_dropout == 0:
        assert all(part.returns and part.epochs == config.local_epochs for part in parts)


def test_draw_clients__many_rounds__come_as_often_as_settings_say() -> None:
    config = StationConfig(local_epochs=4, client_fraction=0.5, client_dropout=0.2, stragglers=0.4)
    parts = [part for global_round in range(400) for part in draw_clients(config, 10, 1, global_round, 0, 0)]
    assert len(parts) == 400 * 5
    assert np.mean([part.returns for part in parts]) == pytest.approx(0.8, abs=0.03)
    assert np.mean([part.epochs < 4 for part in parts]) == pytest.approx(0.4 * 3 / 4, abs=0.03)
    assert min(Counter(part.client for part in parts).values()) > 160
    assert np.mean([is_missing(0.3, 1, played, 4) for played in range(1000)]) == pytest.approx(0.3, abs=0.04)


def test_draw_clients__stragglers_dropped__return_nothing() -> None:
    config = StationConfig(local_epochs=3, stragglers=1.0, drop_stragglers=True)
    assert not any(part.returns for part in draw_clients(config, 10, 1, 0, 0, 0))


def test_station__some_clients_missing__averages_the_others(create_federation: CreateFederation) -> None:
    federation = with_station(create_federation(stations=1, clients=4), client_dropout=0.5)
    (station,), start = federation.stations, federation.initial_state()
    drawn = {number: draw_clients(station.config, 4, 0, number, 0, 0) for number in range(20)}
    returning = {number: [part.client for part in parts if part.returns] for number, parts in drawn.items()}
    global_round, present = next((number, clients) for number, clients in returning.items() if len(clients) == 2)
    played = station.play(start, global_round)
    assert [each.client for each in played.work[0] if each.outcome is Outcome.RETURNED] == present
    assert played.update is not None
    assert played.update.samples == sum(len(station.clients[client]) for client in present)
    # the same without a dropout, by hand
    trained, module = [], federation.model.build()
    for client in present:
        module.load_state_dict(start)
        seed = derive_seed(0, Stream.CLIENT, global_round, 0, 0, client)
        with use_threads(station.config.threads):  # equal bits are those of equal threads
            train_client(module, station.clients[client], station.config, seed)
        trained.append((copy_state(module), len(station.clients[client])))
    assert equal(played.update.state, average(trained))


def test_station__stragglers__do_fewer_epochs(create_federation: CreateFederation) -> None:
    federation = with_station(create_federation(stations=1, clients=4), stragglers=1.0, local_epochs=4)
    played = federation.stations[0].play(federation.initial_state(), global_round=1)
    epochs = [each.epochs for each in played.work[0]]
    assert len(epochs) == 4 and 1 <= min(epochs) < 4
    longer = with_station(federation, stragglers=0.0).stations[0].train_round(federation.initial_state(), 1)
    assert played.update is not None
    assert not equal(played.update.state, longer.state)


def test_station__nobody_returns__has_no_update(create_federation: CreateFederation) -> None:
    federation = with_station(create_federation(), stragglers=1.0, drop_stragglers=True)
    station, start = federation.stations[1], federation.initial_state()
    played = station.play(start, 0)
    assert played.update is None and not played.diverged
    with pytest.raises(TooFewError, match="base station 1, edge aggregation 0: too few clients: nothing to average"):
        station.train_round(start, 0)


def test_station__too_few_for_its_rule_in_one_aggregation__keeps_its_model_for_it(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation(stations=1, clients=3, edge_aggregations=6)
    federation = with_station(federation, client_dropout=0.3, rule=Rule("trimmed-mean", 1))
    played = federation.stations[0].play(federation.initial_state(), 0)
    returned = [sum(each.outcome is Outcome.RETURNED for each in work) for work in played.work]
    assert 3 in returned and min(returned) < 3
    assert played.update is not None


def test_train__stations_drop_out__are_absent_now_and_then(create_federation: CreateFederation) -> None:
    rounds = list(train(create_federation(station_dropout=0.4, rounds=6)))
    absent = [sorted(done.absent) for done in rounds]
    expected = [[s for s in range(3) if is_missing(0.4, 0, global_round, s)] for global_round in range(6)]
    assert absent == expected
    assert any(absent) and not all(absent)
    assert all(set(done.contributions) == {0, 1, 2} - set(done.absent) for done in rounds)
