"""HierFAVG from clients to the global model: by hand, by other routes to the same result, by seed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from fl.store.artefacts import digest_of
from fl.training.average import average
from fl.training.averaging.aggregate import aggregate
from fl.training.client import train_client
from fl.training.cloud import GlobalRound
from fl.training.config import StationConfig, TrainingConfig
from fl.training.contribution.points import contribution_points, total_margins
from fl.training.data.dataset import Dataset, Samples, to_input
from fl.training.errors import DataError, DivergedError, ModelError
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import save_model
from fl.training.model.evaluation import Evaluation
from fl.training.model.parameters import put_state
from fl.training.model.spec import ModelSpec
from fl.training.seeds import Stream, derive_seed
from fl.training.update import save_update
from tests.fl.training.support import copy_state, equal, train
from tests.support.drift import assert_trained_alike, in_float64

CreateFederation = Callable[..., Federation]


def digests(federation: Federation, rounds: list[GlobalRound]) -> list[str]:
    """Of every update and global model, in order."""
    return [
        digest
        for done in rounds
        for digest in (
            *(digest_of(save_update(update)) for update in done.updates),
            digest_of(save_model(federation.model, done.state, global_round=done.global_round)),
        )
    ]


# Clients


@in_float64()
def test_client__one_batch__takes_the_step_of_gradient_descent(digits: Dataset) -> None:
    samples = digits.train.take(digits.train.labels.numpy()[:10].argsort())
    module = ModelSpec("small-cnn", (1, 8, 8), 10).build(seed=1)
    before = copy_state(module)
    loss = torch.nn.functional.cross_entropy(module(to_input(samples.inputs)), samples.labels)
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    mean = train_client(module, samples, StationConfig(1, 1, 10, learning_rate=0.1, momentum=0.5), seed=0)
    assert mean == pytest.approx(loss.item(), rel=1e-5)
    expected = {name: before[name] - 0.1 * gradient for name, gradient in zip(before, gradients, strict=True)}
    assert_trained_alike(copy_state(module), expected, before)


@in_float64()
def test_client__several_steps__are_those_of_torchs_sgd(digits: Dataset) -> None:
    samples = Samples(digits.train.inputs[:16], digits.train.labels[:16])
    module, expected = (ModelSpec("small-cnn", (1, 8, 8), 10).build(seed=1) for _ in range(2))
    start = copy_state(module)
    config = StationConfig(local_epochs=5, batch_size=16, learning_rate=0.1, momentum=0.9)
    train_client(module, samples, config, seed=0)
    sgd = torch.optim.SGD(expected.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(expected(to_input(samples.inputs)), samples.labels).backward()
        sgd.step()
    assert_trained_alike(module.state_dict(), expected.state_dict(), start)


def test_client__diverging__says_where_and_what_to_change(create_federation: CreateFederation) -> None:
    federation = create_federation(learning_rate=1e6, local_epochs=3)
    text = (
        r"no base station has an update left in global round 0; "
        r"global round 0, base station 0, client 0: the loss became (nan|inf) in local epoch \d"
    )
    with pytest.raises(DivergedError, match=text):
        list(train(federation))


# Base stations


@pytest.mark.parametrize("aggregations", [1, 3])
@in_float64()
def test_station__of_uneven_clients__averages_them_by_samples_at_each_edge_aggregation(
    create_federation: CreateFederation, aggregations: int
) -> None:
    federation = create_federation(edge_aggregations=aggregations, alpha=0.5, clients=3)
    start, station = federation.initial_state(), federation.stations[1]
    assert len({len(samples) for samples in station.clients}) > 1
    expected, module = start, federation.model.build()
    for aggregation in range(aggregations):
        trained = []
        for number, samples in enumerate(station.clients):
            put_state(module, expected)
            seed = derive_seed(station.seed, Stream.CLIENT, 5, aggregation, 1, number)
            train_client(module, samples, station.config, seed)
            trained.append((copy_state(module), len(samples)))
        total = sum(count for _, count in trained)
        expected = {name: sum(state[name] * (count / total) for state, count in trained) for name in start}
    update = station.train_round(start, global_round=5)
    assert_trained_alike(update.state, expected, start)
    assert (update.station, update.global_round, update.samples) == (1, 5, total)


def test_station__training__leaves_the_global_model_and_torch_as_they_were(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation()
    state = federation.initial_state()
    before = {name: tensor.clone() for name, tensor in state.items()}
    settings = (torch.get_num_threads(), torch.get_rng_state().tolist())
    update = federation.stations[0].train_round(state, 0)
    federation.evaluate(update.state)
    assert equal(state, before)
    assert settings == (torch.get_num_threads(), torch.get_rng_state().tolist())


def test_station__trained_alone_and_in_any_order__returns_the_same(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation()
    state, workspace = federation.initial_state(), federation.model.build(seed=9)
    inside = [station.train_round(state, 0, workspace).state for station in federation.stations]
    for station, expected in reversed(list(zip(federation.stations, inside, strict=True))):
        assert equal(station.train_round(state, 0).state, expected)


def test_station__empty_client_or_none__says_which(create_federation: CreateFederation) -> None:
    station = create_federation().stations[2]
    empty = Samples(station.clients[0].inputs[:0], station.clients[0].labels[:0])
    with pytest.raises(DataError, match="client 1 of base station 2 has no training sample"):
        replace(station, clients=(station.clients[0], empty))
    with pytest.raises(DataError, match="base station 2 has no client"):
        replace(station, clients=())


def test_station__model_of_another_run__is_refused(create_federation: CreateFederation) -> None:
    other = create_federation(targets=("0", "1")).initial_state()
    with pytest.raises(ModelError, match="of another model"):
        create_federation().stations[0].train_round(other, 0)


# Global rounds


def test_train__stepped_by_hand__is_the_same(create_federation: CreateFederation) -> None:
    federation = create_federation(edge_aggregations=2)
    rounds = list(train(federation))
    state = federation.initial_state()
    before = federation.evaluate(state)
    for done in rounds:
        updates = [station.train_round(state, done.global_round) for station in federation.stations]
        state = aggregate(reversed(updates))
        assert equal(done.state, state)
        assert done.evaluation == federation.evaluate(state)
        for update in updates:
            local = federation.evaluate(update.state)
            assert done.contributions[update.station] == local.exact_accuracy - before.exact_accuracy
        before = done.evaluation


@in_float64()
def test_train__one_station_of_all_clients__equals_two_levels(create_federation: CreateFederation) -> None:
    """With κ2 = 1 the hierarchy is FedAvg: which base station a client belongs to makes no difference."""
    two_levels = create_federation(stations=3, clients=2, rounds=1, alpha=0.5)
    start = two_levels.initial_state()
    module, trained = two_levels.model.build(), []
    for station in two_levels.stations:
        for number, samples in enumerate(station.clients):
            seed = derive_seed(station.seed, Stream.CLIENT, 0, 0, station.index, number)
            put_state(module, start)
            train_client(module, samples, station.config, seed)
            trained.append((copy_state(module), len(samples)))
    (done,) = train(two_levels)
    assert_trained_alike(done.state, average(trained), start)


def test_train__same_seed__gives_the_same_digests_and_another_seed_others(
    create_federation: CreateFederation,
) -> None:
    runs = []
    for seed in (3, 3, 4):
        federation = create_federation(seed=seed, alpha=0.5)
        runs.append(digests(federation, list(train(federation))))
    assert runs[0] == runs[1]
    assert not set(runs[0]) & set(runs[2])


def test_train__continued_after_a_round__ends_with_the_same_digests(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation(rounds=3)
    whole = list(train(federation))
    rest = list(train(federation, state=whole[0].state, first_round=1))
    assert digests(federation, rest) == digests(federation, whole[1:])


def test_train__missing_station__weighs_those_present(create_federation: CreateFederation) -> None:
    federation = create_federation()
    seen = []
    rounds = list(train(federation, present=lambda e, s: (e, s) != (0, 1), on_station=seen.append))
    assert [[update.station for update in done.updates] for done in rounds] == [[0, 2], [0, 1, 2]]
    first = sorted((played.station, played.update is None) for played in seen[:3])
    assert first == [(0, False), (1, True), (2, False)]
    assert [dict(done.absent) for done in rounds] == [{1: "it did not take part"}, {}]
    assert set(rounds[0].contributions) == {0, 2}
    expected = average((update.state, update.samples) for update in rounds[0].updates)
    assert equal(rounds[0].state, expected)


def test_train__nobody_present_in_a_round__leaves_the_model_as_it_is(
    create_federation: CreateFederation, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = train(create_federation(), present=lambda global_round, station: global_round == 0)
    assert equal(first.state, second.state)
    assert (second.updates, dict(second.contributions), len(second.absent)) == ((), {}, 3)
    assert "global round 1: the global model stays as it is: no base station returned an update" in caplog.text


def test_train__rounds__are_logged_not_printed(
    create_federation: CreateFederation, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "fl.training")
    rounds = list(train(create_federation()))
    assert [record.args[0] for record in caplog.records] == [done.global_round for done in rounds]
    assert capsys.readouterr() == ("", "")


# What an honest run reaches


def test_default_round__on_digits__reaches_85_percent(digits: Dataset) -> None:
    *_, last = train(build_federation(TrainingConfig(), digits))
    assert last.evaluation.accuracy >= 0.85
    assert last.evaluation.samples == 360


@pytest.mark.parametrize(("targets", "alpha"), [("17", None), ("358", 0.5), ("035689", 0.5)])
def test_default_round__on_some_targets__reaches_85_percent(digits: Dataset, targets: str, alpha: float | None) -> None:
    *_, last = train(build_federation(TrainingConfig(targets=tuple(targets), alpha=alpha, seed=7), digits))
    assert last.evaluation.accuracy >= 0.85


def test_contribution__station_with_wrong_labels__gets_the_least(digits: Dataset) -> None:
    """Measured, not assumed: a base station whose clients' labels are shuffled is told apart."""
    federation = build_federation(TrainingConfig(targets=("0", "1", "4", "6"), rounds=2), digits)
    station = federation.stations[2]
    random = torch.Generator().manual_seed(0)
    clients = tuple(Samples(c.inputs, c.labels[torch.randperm(len(c), generator=random)]) for c in station.clients)
    stations = tuple(replace(s, clients=clients) if s is station else s for s in federation.stations)
    totals = total_margins(done.contributions for done in train(replace(federation, stations=stations)))
    points = contribution_points(list(totals.values()))
    assert min(range(4), key=points.__getitem__) == 2
    assert points[2] < min(point for index, point in enumerate(points) if index != 2) / 2


# Judging


def test_evaluate__on_some_labels__counts_their_images_only(create_federation: CreateFederation) -> None:
    federation = create_federation(targets=("0", "1", "7"))
    *_, last = train(federation)
    parts = [federation.evaluate(last.state, [label]) for label in ("0", "1", "7")]
    whole = federation.evaluate(last.state)
    assert sum(part.correct for part in parts) == whole.correct
    assert sum(part.samples for part in parts) == whole.samples == len(federation.dataset.test)
    assert sum(part.loss * part.samples for part in parts) == pytest.approx(whole.loss * whole.samples)


def test_evaluation__of_counts__is_exact() -> None:
    result = Evaluation(correct=2, samples=3, loss=0.5)
    assert (result.exact_accuracy, result.accuracy_bps) == (Fraction(2, 3), 6666)
    assert result.accuracy == pytest.approx(2 / 3)


def test_evaluate__bad_input__says_what(create_federation: CreateFederation) -> None:
    federation = create_federation()
    state = federation.initial_state()
    with pytest.raises(DataError, match="not target labels of this model: 9 "):
        federation.evaluate(state, ["1", "9"])
    with pytest.raises(DataError, match="no test sample to judge a model by"):
        federation.evaluate(state, [])
    with pytest.raises(DivergedError, match="the judged model's loss is nan"):
        federation.evaluate({name: tensor * float("nan") for name, tensor in state.items()})
