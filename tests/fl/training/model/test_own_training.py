"""Optimizers, schedules, losses and metrics that a configuration names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from fl.training.client import train_client
from fl.training.command.identity import differences, identity_of
from fl.training.config import StationConfig, TrainingConfig
from fl.training.crews.pool import Pool
from fl.training.data.dataset import Dataset, Samples
from fl.training.errors import TrainingError
from fl.training.federation import build_federation
from fl.training.model.evaluation import evaluate
from fl.training.model.objective import Objective, mean_loss
from fl.training.model.optimizers import rate_in
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import copy_state, equal, train, train_in

FEATURES, CLASSES, COUNT = 6, 3, 24
PLAIN = StationConfig(2, 1, batch_size=COUNT, learning_rate=0.05, momentum=0.5)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    random = torch.Generator().manual_seed(2)
    inputs = torch.randn(10 * COUNT, FEATURES, generator=random)
    labels = inputs[:, :CLASSES].argmax(1)
    parts = (Samples(inputs[: 5 * COUNT], labels[: 5 * COUNT]), Samples(inputs[5 * COUNT :], labels[5 * COUNT :]))
    return Dataset("vectors", ("a", "b", "c"), *parts)


def config_of(station: StationConfig, **given: Any) -> TrainingConfig:
    return TrainingConfig(model="mlp", stations=2, clients=2, rounds=2, station=station, **given)


# Steps are those of torch


def adam(parameters: list[torch.Tensor], lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=lr, betas=(0.8, 0.9))


SGD = torch.optim.SGD
Make = Callable[[Any], torch.optim.Optimizer]
STEPS: dict[str, tuple[dict[str, Any], Make, float | None, Callable[..., torch.Tensor]]] = {
    "Adam": ({"optimizer": "Adam"}, lambda p: torch.optim.Adam(p, lr=0.05), None, functional.cross_entropy),
    "AdamW with arguments": (
        {"optimizer": "AdamW(betas=(0.5, 0.6))", "weight_decay": 0.3},
        lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.5, 0.6), weight_decay=0.3),
        None,
        functional.cross_entropy,
    ),
    "own": (
        {"optimizer": f"{__name__}:adam"},
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.9)),
        None,
        functional.cross_entropy,
    ),
    "weight decay": (
        {"weight_decay": 0.2},
        lambda p: SGD(p, lr=0.05, momentum=0.5, weight_decay=0.2),
        None,
        functional.cross_entropy,
    ),
    "clipping": (
        {"gradient_clip": 0.1},
        lambda p: SGD(p, lr=0.05, momentum=0.5),
        0.1,
        functional.cross_entropy,
    ),
    "clipping that cuts nothing": (
        {"gradient_clip": 1e9},
        lambda p: SGD(p, lr=0.05, momentum=0.5),
        None,
        functional.cross_entropy,
    ),
    "label smoothing": (
        {"loss": "cross_entropy(label_smoothing=0.3)"},
        lambda p: SGD(p, lr=0.05, momentum=0.5),
        None,
        lambda outputs, labels: functional.cross_entropy(outputs, labels, label_smoothing=0.3),
    ),
}


@pytest.mark.parametrize("case", list(STEPS))
def test_train_client__setting__is_what_torch_does(case: str, dataset: Dataset) -> None:
    """One batch holds all samples, so that their order makes no difference but of rounding."""
    changes, make, clip, loss_of = STEPS[case]
    own, theirs = (ModelSpec("mlp", (FEATURES,), CLASSES).build(seed=1) for _ in range(2))
    samples = dataset.train.cut([COUNT, 4 * COUNT])[0]
    train_client(own, samples, replace(PLAIN, **changes), seed=3)
    optimizer = make(theirs.parameters())
    for _ in range(PLAIN.local_epochs):
        optimizer.zero_grad()
        loss_of(theirs(samples.inputs), samples.labels).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        optimizer.step()
    for name, expected in copy_state(theirs).items():
        torch.testing.assert_close(own.state_dict()[name], expected, rtol=1e-3, atol=1e-5)
    plain = ModelSpec("mlp", (FEATURES,), CLASSES).build(seed=1)
    train_client(plain, samples, PLAIN, seed=3)
    assert torch.allclose(plain[1].weight, own[1].weight, atol=1e-4) == (case == "clipping that cuts nothing")


# Schedules


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("StepLR(step_size=2, gamma=0.1)", [0.05, 0.05, 0.005, 0.005, 0.0005]),
        ("CosineAnnealingLR(T_max=2)", [0.05, 0.025, 0.0]),
        (f"{__name__}:halving", [0.05, 0.025, 0.0125]),
    ],
)
def test_rate_in__each_global_round__is_what_the_schedule_gives(schedule: str, rates: list[float]) -> None:
    config = replace(PLAIN, schedule=schedule)
    found = [rate_in(config, number) for number in reversed(range(len(rates)))][::-1]
    assert found == pytest.approx(rates, abs=1e-12)


def nothing(optimizer: torch.optim.Optimizer) -> None:
    """As a schedule that forgot to return itself."""


def adds_up(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(outputs, labels, reduction="none").sum()


class Trainable(nn.Module):
    """As ArcFace, whose directions of the classes are learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self.scale * outputs, labels)


def without_gradient(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.zeros(())


def halving(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)


def test_train__schedule_and_optimizer__is_the_same_over_workers_and_when_it_goes_on(
    dataset: Dataset, tmp_path: Path
) -> None:
    station = replace(PLAIN, schedule="ExponentialLR(gamma=0.1)", optimizer="Adam", weight_decay=0.01)
    federation = build_federation(config_of(station), dataset)
    first, last = train(federation)
    with Pool(federation, 2) as crew:
        *_, spread = train(federation, crew=crew)
    assert equal(last.state, spread.state) and last.evaluation == spread.evaluation
    *_, constant = train(build_federation(config_of(replace(station, schedule=None)), dataset))
    one = build_federation(replace(federation.config, rounds=1), dataset)
    train_in(tmp_path / "a", one)
    assert train_in(tmp_path / "a", federation)[-1]["model"] == train_in(tmp_path / "b", federation)[-1]["model"]
    # a tenth of the rate moves Adam a tenth as far
    moved = [float((each.state["1.weight"] - first.state["1.weight"]).norm()) for each in (last, constant)]
    assert 0.05 < moved[0] / moved[1] < 0.2
    assert any("station.schedule is None there" in each for each in differences(identity_of(
        build_federation(config_of(replace(station, schedule=None)), dataset)), identity_of(federation)))  # fmt: skip


# Losses and metrics


def numbers(outputs: int, *, kinds: bool = False) -> Dataset:
    """Sums of features to predict, or of `kinds` whether each is positive."""
    random = torch.Generator().manual_seed(4)
    inputs = torch.randn(300, FEATURES, generator=random)
    labels = inputs[:, :outputs] - inputs[:, 1 : outputs + 1]
    labels = (labels > 0).float() if kinds else labels
    parts = (Samples(inputs[:200], labels[:200]), Samples(inputs[200:], labels[200:]))
    return Dataset("numbers", tuple(f"y{index}" for index in range(outputs)), *parts)


def near(outputs: torch.Tensor, labels: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    return 1 / (1 + (outputs - labels).abs().mean(1) / scale)


def wrong_shape(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return outputs


def failing(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("dataset_", "loss", "metric", "least"),
    [
        (numbers(1), "mse_loss", "within(tolerance=0.5)", 0.85),
        (numbers(2), "huber_loss(delta=0.5)", f"{__name__}:near(scale=0.5)", 0.6),
        (numbers(3, kinds=True), "binary_cross_entropy_with_logits", "label_accuracy", 0.85),
        (numbers(3, kinds=True), "binary_cross_entropy_with_logits", "exact_match", 0.6),
    ],
)
def test_train__regression_and_several_labels__is_learnt_the_same_over_workers(
    dataset_: Dataset, loss: str, metric: str, least: float
) -> None:
    station = StationConfig(4, 1, batch_size=10, learning_rate=0.05, momentum=0.8, loss=loss)
    federation = build_federation(replace(config_of(station, metric=metric), rounds=3), dataset_)
    before = federation.evaluate(federation.initial_state())
    *_, last = train(federation)
    with Pool(federation, 2) as crew:
        *_, spread = train(federation, crew=crew)
    assert last.evaluation == spread.evaluation and equal(last.state, spread.state)
    assert last.contributions == spread.contributions
    assert last.evaluation.accuracy > least > before.accuracy and last.evaluation.loss < before.loss / 2
    assert last.evaluation.accuracy == float(last.evaluation.exact_accuracy)
    assert last.evaluation.accuracy_bps == int(last.evaluation.exact_accuracy * 10_000)


@pytest.mark.parametrize("metric", ["exact_match", "label_accuracy"])
def test_metric__of_probabilities__has_half_as_its_threshold(metric: str) -> None:
    logits = torch.tensor([[-2.0, 3.0], [1.0, 0.5], [-1.0, -0.5]])
    labels = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    of_logits, of_probabilities, wrong = (
        Objective("mse_loss", name).total_score(outputs, labels)
        for name, outputs in (
            (metric, logits),
            (f"{metric}(threshold=0.5)", logits.sigmoid()),
            (metric, logits.sigmoid()),
        )
    )
    assert of_logits == of_probabilities != wrong


def test_evaluate__metric_of_fractions__is_added_up_exactly() -> None:
    module = nn.Linear(FEATURES, 2)
    samples = numbers(2).test
    objective = Objective("mse_loss", f"{__name__}:near")
    found = evaluate(module, copy_state(module), samples, objective=objective)
    with torch.no_grad():
        scores = near(module(samples.inputs), samples.labels)
        assert found.loss == pytest.approx(float(functional.mse_loss(module(samples.inputs), samples.labels)))
    expected = sum(Fraction(score) for score in scores.double().tolist())
    assert float(found.correct - expected) == pytest.approx(0, abs=1e-12)


# What is refused, before anything is trained


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"optimizer": "Adamm"}, r"the optimizer Adamm cannot be imported .*: give one of torch.optim, or package"),
        ({"optimizer": "Adam(beta=1)"}, "the optimizer Adam.beta=1. cannot be made: .*'beta'"),
        ({"optimizer": "Adam(lr=0.5)"}, r"the rate of Adam\(lr=0.5\) is learning_rate: give that, and leave lr out"),
        (
            {"optimizer": "Adam(weight_decay=0.1)", "weight_decay": 0.2},
            r"Adam\(weight_decay=0.1\) has a weight_decay of its own: give one of the two",
        ),
        ({"optimizer": "LBFGS"}, "the optimizer LBFGS fails: .*closure"),
        ({"optimizer": "os:getcwd"}, "the optimizer os:getcwd cannot be made"),
        ({"schedule": "StepLR"}, "the schedule StepLR fails in global round 0: .*step_size"),
        ({"schedule": "ReduceLROnPlateau"}, "the schedule ReduceLROnPlateau fails in global round 1: .*metrics"),
        ({"schedule": "ExponentialLR(gamma=-1)"}, r"gives a rate of -0.05 in global round 1"),
        (
            {"schedule": f"{__name__}:nothing"},
            "nothing fails in global round 1: 'NoneType' .* 'step'",
        ),
        ({"loss": "cross_entropy(reduction='sum')"}, "twice is twice as large: it adds up, and has to give their mean"),
        ({"loss": f"{__name__}:adds_up"}, "adds_up of the same samples twice is twice as large"),
        ({"loss": f"{__name__}:Trainable"}, "Trainable has parameters, which no client trains: they belong into the"),
        ({"loss": f"{__name__}:without_gradient"}, "without_gradient gives no mean .*, one number with a gradient"),
        ({"loss": "torch.nn:HuberLoss(delta=-1.0)"}, "the loss torch.nn:HuberLoss.delta=-1.0. fails on outputs"),
        ({"loss": "torch.nn:HuberLoss(width=1)"}, "the loss torch.nn:HuberLoss.width=1. cannot be made: .*'width'"),
        ({"loss": "relu"}, "the loss relu gives no mean of outputs|the loss relu fails on outputs"),
        ({"loss": "mse"}, r"the loss mse cannot be imported .*: give one of torch.nn.functional, or package"),
        ({"loss": f"{__name__}:failing"}, "failing fails on outputs .* and labels .*: KeyError: 'gone'"),
        ({"transform": "nowhere:at_all"}, "the transform nowhere:at_all cannot be imported"),
    ],
)
def test_build__setting_that_does_not_work__says_what(changes: dict[str, Any], text: str, dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match=text):
        build_federation(config_of(replace(PLAIN, **changes)), dataset)


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("precision", "unknown metric 'precision': choose one of accuracy, label_accuracy, exact_match, within, or"),
        (f"{__name__}:failing", "the metric .*failing fails on outputs"),
        (f"{__name__}:wrong_shape", "wrong_shape gives no number for each of 2 samples"),
        (f"{__name__}:near(scale=-0.1)", r"gives a sample -?\d.* not 0 … 1"),
    ],
)
def test_build__metric_that_does_not_work__says_what(metric: str, text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        build_federation(config_of(replace(PLAIN, loss="mse_loss"), metric=metric), numbers(2))


def test_train__loss_that_is_a_class__is_what_its_function_is() -> None:
    (*_, own), (*_, theirs) = (
        train(build_federation(config_of(replace(PLAIN, loss=loss), metric="within"), numbers(2)))
        for loss in ("torch.nn:HuberLoss(delta=2.0)", "huber_loss(delta=2.0)")
    )
    assert equal(own.state, theirs.state) and own.evaluation == theirs.evaluation


def weighted(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(outputs, labels, torch.tensor([1.0, 20.0]))


def test_train__weights_of_classes__are_arguments_of_the_loss_and_serve_the_rare(dataset: Dataset) -> None:
    rare = torch.arange(len(dataset.train)) % 10 == 0
    inputs = dataset.train.inputs + rare[:, None]
    few = Samples(inputs, rare.long())
    losses = ("cross_entropy", "cross_entropy(weight=(1, 20))", f"{__name__}:weighted")
    plain, named, own = (
        [*train(build_federation(config_of(replace(PLAIN, loss=loss)), Dataset("few", ("no", "yes"), few, few)))][-1]
        for loss in losses
    )
    assert equal(named.state, own.state) and named.evaluation == own.evaluation
    found, missed = (each.evaluation.label_accuracies[1] or 0 for each in (named, plain))
    assert found > missed + 0.2


def test_loss__weights_made_while_judging__serve_the_steps_after_it() -> None:
    """What inference mode makes cannot be saved for a gradient."""
    outputs, labels = torch.randn(4, 2), torch.eye(2).repeat(2, 1)
    loss = "binary_cross_entropy_with_logits(pos_weight=(2.0, 7.0))"
    with torch.inference_mode():
        judged = Objective(loss, None).total_loss(outputs, labels)
    trained = mean_loss(loss, outputs.requires_grad_(), labels)
    trained.backward()
    expected = functional.binary_cross_entropy_with_logits(outputs, labels, pos_weight=torch.tensor([2.0, 7.0]))
    assert float(trained) == float(expected) and float(judged) == pytest.approx(4 * float(expected))


@pytest.mark.parametrize("given", [{}, {"metric": "within"}])
def test_build__numbers_to_predict_without_a_loss_and_a_metric__is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="the labels are numbers to predict, no classes: give a loss and a metric"):
        build_federation(config_of(PLAIN, **given), numbers(2))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"weight_decay": -0.1}, r"weight_decay must be in \[0, 1e\+38\], not -0.1"),
        ({"gradient_clip": 0.0}, r"gradient_clip must be in \(0, 1e\+38\], not 0.0"),
        ({"gradient_clip": float("nan")}, "gradient_clip must be in"),
        ({"graphs": True, "optimizer": "Adam"}, "graphs record steps of SGD at one rate"),
        ({"graphs": True, "schedule": "StepLR(step_size=2)"}, "graphs record steps of SGD at one rate"),
        ({"optimizer": 5}, "optimizer must be text, not 5"),
    ],
)
def test_station_config__bad_setting__says_what(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        StationConfig(**settings)
