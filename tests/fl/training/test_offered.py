"""What an order may name: all that is offered works with any arguments within its bounds, the rest is refused."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fl.training.config import StationConfig, TrainingConfig
from fl.training.errors import TrainingError
from fl.training.model.objective import mean_loss
from fl.training.model.optimizers import Optimizer, rate_in
from fl.training.model.spec import MODELS
from fl.training.named import split
from fl.training.offered import OFFERED, Flag, Number, check_named, check_offered
from fl.training.strategies import STRATEGIES, FedAdam, FedAvgM, FedYogi, strategy_of


def arguments_of(setting: str, name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any that it takes."""
    takes = OFFERED[setting][name]
    values = {argument: value_of(each) for argument, each in takes.items()}
    required = {argument: values.pop(argument) for argument, each in takes.items() if each.required}
    return st.fixed_dictionaries(required, optional=values)


def value_of(each: Number | Flag) -> st.SearchStrategy[Any]:
    if isinstance(each, Flag):
        return st.booleans()
    if each.whole:
        one: st.SearchStrategy[Any] = st.integers(int(each.least), int(each.most))
    else:
        ends = st.sampled_from((float(each.least), float(each.most)))
        between = st.floats(each.least, each.most).map(lambda value: round(value, 9))
        one = ends | between.filter(lambda value: each.least <= value <= each.most)
    return one if each.count is None else st.lists(one, min_size=each.count[0], max_size=each.count[1]).map(tuple)


@st.composite
def named(draw: st.DrawFn, setting: str) -> str:
    name = draw(st.sampled_from(sorted(OFFERED[setting])))
    found = draw(arguments_of(setting, name))
    written = ", ".join(f"{argument}={value!r}" for argument, value in found.items())
    return f"{name}({written})" if found else name


# ── what is offered works ──


@given(named("optimizer"))
def test_optimizer__any_that_is_offered__takes_steps(text: str) -> None:
    check_named("optimizer", text)
    weights = torch.ones(5)
    if text != "SGD":  # which `fl.training.model.steps` has without a class
        optimizer = Optimizer(StationConfig(optimizer=text), [weights], 0.01)
        optimizer.step([torch.ones(5)])
        assert weights.isfinite().all() and (weights != 1).all()


@given(named("schedule"))
def test_schedule__any_that_is_offered__gives_a_rate_in_every_global_round(text: str) -> None:
    check_named("schedule", text)
    config = StationConfig(schedule=text)
    assert all(rate_in(config, number) >= 0 for number in range(256))


@given(named("loss"))
def test_loss__any_that_is_offered__is_a_mean(text: str) -> None:
    check_named("loss", text)
    assert math.isfinite(mean_loss(text, torch.ones(3, 2, requires_grad=True), torch.tensor([0, 1, 1])).detach())


@given(named("strategy"))
def test_strategy__any_that_is_offered__is_the_librarys(text: str) -> None:
    check_named("strategy", text)
    strategy = strategy_of(TrainingConfig(strategy=text))
    assert type(strategy) is STRATEGIES[split(text, "strategy")[0]]


def test_offered__all_models_and_every_strategy_of_the_library_but_scaffold__are() -> None:
    assert set(OFFERED["model"]) == set(MODELS)
    assert set(OFFERED["strategy"]) == set(STRATEGIES) - {"SCAFFOLD"}


# ── what is not is refused ──

DEEP = 100_000
HOSTILE = {
    "os:system": "not written as Name",
    "os.system": "not written as Name",
    "trap:make(width=64)": "not written as Name",
    "__import__('os')": "not written as Name",
    "Adam(betas=" + "(" * DEEP: "not written as Name",
    "Adam(eps=" + "-" * DEEP + "1)": "not written as Name",
    "Adam(eps=" + "9" * DEEP + ")": "not written as Name",
    "A" * DEEP: "not written as Name",
    "Adam(eps=1e999)": "not written as Name",
    "Adam(eps=nan)": "not written as Name",
    "Adam(eps=(lambda: 1)())": "not written as Name",
    "Adam(**{'eps': 1})": "not written as Name",
    "Adam(0.1)": "not written as Name",
    "Adam()": "not written as Name",
    "Adam\n": "not written as Name",
    "": "not written as Name",
    "Ａdam": "not written as Name",
    "Adam(eps=01)": "is not written as name",
    "LBFGS(history_size=1000000000)": "the optimizer 'LBFGS' is not offered here: choose one of SGD, Adagrad, Adam",
    "lr_scheduler": "is not offered here",
    "Optimizer": "is not offered here",
    "Adam(lr=1)": "Adam has no argument 'lr': it takes betas, eps, amsgrad",
    "SGD(momentum=0.9)": "SGD has no argument 'momentum': it takes none here",
    "Adam(betas=(0.9, 1))": r"Adam must be 2 numbers with a point in brackets, 0 … 0.9999, not \(0.9, 1\)",
    "Adam(betas=(0.9, 0.9, 0.9))": "must be 2 numbers with a point in brackets",
    "Adam(betas=0.9)": "must be 2 numbers with a point in brackets",
    "Adam(eps=0)": "eps of the optimizer Adam must be a number, 1e-12 … 1, not 0",
    "Adam(amsgrad=1)": "amsgrad of the optimizer Adam must be True or False, not 1",
    "Adam(eps=True)": "must be a number",
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.items(), ids=lambda value: repr(value)[:30])
def test_optimizer__that_is_not_offered__is_refused_in_one_line_at_once(text: str, said: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(TrainingError, match=said) as refused:
        check_named("optimizer", text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("setting", "text", "said"),
    [
        (
            "strategy",
            "SCAFFOLD",
            "SCAFFOLD' is not offered here .it needs what clients carry, and signed updates do not",
        ),
        ("strategy", "FedAdam(tau=0)", "tau of the strategy FedAdam must be a number, 1e-09 … 1, not 0"),
        ("schedule", "StepLR", "the schedule StepLR needs step_size: a whole number, 1 … 10000"),
        ("schedule", "StepLR(step_size=1.5)", "step_size of the schedule StepLR must be a whole number"),
        ("schedule", "LambdaLR(lr_lambda=1)", "the schedule 'LambdaLR' is not offered here"),
        ("schedule", "MultiStepLR(milestones=(0, 5))", "2 … 16 whole numbers in brackets, 1 … 10000"),
        ("loss", "one_hot(num_classes=1000000000)", "the loss 'one_hot' is not offered here"),
        ("loss", "cross_entropy(label_smoothing=2)", "must be a number, 0 … 1"),
    ],
)
def test_named__that_is_not_offered__is_refused(setting: str, text: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        check_named(setting, text)


@given(st.sampled_from(sorted(OFFERED)), st.text(max_size=30) | st.from_regex(r"[A-Z]?\w*\(\w*=[\w(),. ]*\)?"))
def test_named__any_text__is_offered_or_refused_in_one_line(setting: str, text: str) -> None:
    try:
        check_named(setting, text)
    except TrainingError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert split(text, setting)[0] in OFFERED[setting]


def test_check__any_place_of_a_path__is_refused_and_nothing_imported() -> None:
    paths = {"model": "antigravity:net", "strategy": "antigravity:Server"}
    own = dict.fromkeys(("optimizer", "schedule", "loss"), "antigravity:make")
    configs = [replace(TrainingConfig(), **{name: path}) for name, path in paths.items()]
    stations = [replace(StationConfig(), **{name: path}) for name, path in own.items()]
    configs += [TrainingConfig(station=station) for station in stations]
    for config in configs:
        with pytest.raises(TrainingError, match="code that another names is not imported"):
            check_offered(config)
    assert "antigravity" not in sys.modules
    check_offered(TrainingConfig(model="cnn", station=StationConfig()))


# ── the server's step is the same on every CPU ──


@given(st.integers(1, 67), st.integers(0, 2**31), st.sampled_from(("FedAvgM", "FedAdam", "FedYogi")))
def test_server__any_model__each_operation_is_rounded_by_itself(size: int, seed: int, name: str) -> None:
    """As numpy does, which fuses none: a CPU that adds a product in one rounding would find other bits."""
    random = np.random.default_rng(seed)
    model, *combined = (random.standard_normal(size).astype(np.float32) for _ in range(3))
    strategy = {"FedAvgM": FedAvgM(), "FedAdam": FedAdam(), "FedYogi": FedYogi()}[name]
    state: dict[str, torch.Tensor] = {}
    first, second = np.zeros_like(model), np.full_like(model, 1e-3**2)
    velocity = np.zeros_like(model)
    number = np.float32
    for each in combined:
        moved, state = strategy.update_server({"w": torch.tensor(model)}, {"w": torch.tensor(each)}, state, {})
        if name == "FedAvgM":
            velocity = velocity * number(0.9) + (model - each)
            expected = model - velocity
        else:
            update = each - model
            squared = update * update
            first = number(0.9) * first + number(1 - 0.9) * update
            if name == "FedAdam":
                second = number(0.99) * second + number(1 - 0.99) * squared
            else:
                second = second - number(1 - 0.99) * squared * np.sign(second - squared)
            expected = model + number(0.03) * first / (np.sqrt(second) + number(1e-3))
        np.testing.assert_array_equal(moved["w"].numpy(), expected)
        model = expected
