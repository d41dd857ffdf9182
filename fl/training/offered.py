"""What a training may name that another has written: of PyTorch and of this package, by name and within bounds.

Whoever trains or judges by somebody else's words imports nothing that they name, and takes no argument whose effect it
does not know. What is offered is told here, without PyTorch, so that it is known before anybody bids. The form is that
of `fl.training.named`, `AdamW(betas=(0.9, 0.99))`: a text is held against it before Python reads any of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

from fl.training.config import TrainingConfig
from fl.training.errors import TrainingError
from fl.training.named import split


@dataclass(frozen=True)
class Number:
    """A number as an argument.

    Attributes:
        least: of it.
        most: of it.
        whole: it has no fraction.
        count: least and most of such numbers, in brackets; None: it is one, without.
        required: it has no default.
    """

    least: float
    most: float
    whole: bool = False
    count: tuple[int, int] | None = None
    required: bool = False

    def takes(self, value: object) -> bool:
        """Whether a value is one."""
        if self.count is None:
            return self._is_one(value)
        least, most = self.count
        return isinstance(value, tuple) and least <= len(value) <= most and all(map(self._is_one, value))

    def _is_one(self, value: object) -> bool:
        # PyTorch takes no whole number for one of a pair of others
        kind = int if self.whole else Real if self.count is None else float
        return isinstance(value, kind) and not isinstance(value, bool) and self.least <= float(value) <= self.most

    def __str__(self) -> str:
        bounds = f"{self.least:g} … {self.most:g}"
        if self.count is None:
            return f"a {'whole ' if self.whole else ''}number, {bounds}"
        least, most = self.count
        kind = "whole numbers" if self.whole else "numbers with a point"
        return f"{least if least == most else f'{least} … {most}'} {kind} in brackets, {bounds}"


class Flag:
    """True or False."""

    required = False

    def takes(self, value: object) -> bool:
        """Whether a value is one."""
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "True or False"


Arguments: TypeAlias = Mapping[str, Number | Flag]

_FADING = Number(0, 0.9999)
_FADINGS = Number(0, 0.9999, count=(2, 2))
_SMALL = Number(1e-12, 1)
_FACTOR = Number(0, 10)
_ROUNDS = Number(1, 10_000, whole=True)
_ADAM: Arguments = {"betas": _FADINGS, "eps": _SMALL, "amsgrad": Flag()}
_FED_ADAM: Arguments = {
    "learning_rate": Number(1e-9, 1_000),
    "beta1": _FADING,
    "beta2": _FADING,
    "tau": Number(1e-9, 1),
}

OFFERED: Mapping[str, Mapping[str, Arguments]] = {
    "model": {name: {} for name in ("small-cnn", "cnn", "resnet18", "resnet50", "linear", "mlp")},
    "optimizer": {
        "SGD": {},
        "Adagrad": {"lr_decay": Number(0, 1), "initial_accumulator_value": Number(0, 1_000), "eps": _SMALL},
        "Adam": _ADAM,
        "AdamW": _ADAM,
        "RMSprop": {"alpha": _FADING, "eps": _SMALL, "momentum": _FADING, "centered": Flag()},
    },
    "schedule": {
        "ConstantLR": {"factor": Number(1e-9, 1), "total_iters": _ROUNDS},
        "CosineAnnealingLR": {"T_max": Number(1, 10_000, whole=True, required=True), "eta_min": Number(0, 1)},
        "ExponentialLR": {"gamma": Number(0, 10, required=True)},
        "LinearLR": {"start_factor": Number(1e-4, 1), "end_factor": Number(1e-4, 1), "total_iters": _ROUNDS},
        "MultiStepLR": {
            "milestones": Number(1, 10_000, whole=True, count=(2, 16), required=True),
            "gamma": _FACTOR,
        },
        "PolynomialLR": {"total_iters": _ROUNDS, "power": _FACTOR},
        "StepLR": {"step_size": Number(1, 10_000, whole=True, required=True), "gamma": _FACTOR},
    },
    "precision": {"float32": {}, "bfloat16": {}},
    "loss": {"cross_entropy": {"label_smoothing": Number(0, 1)}},
    "strategy": {"FedAvg": {}, "FedAvgM": {"momentum": _FADING}, "FedAdam": _FED_ADAM, "FedYogi": _FED_ADAM},
}
"""By setting, what it may name, and with which arguments."""

_WHY_NOT = {
    "SCAFFOLD": "it needs what clients carry, and signed updates do not bring that",
    "tf32": "it is of GPUs, and members train on CPUs",
}

_MOST = 200
_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,40})?(?:e-?[0-9]{1,2})?"
_VALUE = rf"(?:True|False|{_NUMBER}|\({_NUMBER}(?:, ?{_NUMBER})+\))"
_FORM = re.compile(rf"[A-Za-z][A-Za-z0-9_-]*(?:\([A-Za-z_0-9]+={_VALUE}(?:, ?[A-Za-z_0-9]+={_VALUE})*\))?")


def check_named(setting: str, text: str) -> None:
    """Refuse what is not offered.

    Args:
        setting: one of `OFFERED`.
        text: what it says; anybody may have written it.

    Raises:
        TrainingError: it names something else, or an argument that this does not take.
    """
    offered = OFFERED[setting]
    choose = f"choose one of {', '.join(offered)}"
    if len(text) > _MOST or not _FORM.fullmatch(text):
        raise TrainingError(
            f"the {setting} {_shown(text)} is not written as Name or Name(argument=number, …), and code that another "
            f"names is not imported: {choose}"
        )
    name, arguments = split(text, setting)
    if name not in offered:
        why = f" ({_WHY_NOT[name]})" if name in _WHY_NOT else ""
        raise TrainingError(f"the {setting} {_shown(name)} is not offered here{why}: {choose}")
    takes = offered[name]
    for argument, value in arguments.items():
        if argument not in takes:
            known = f"takes {', '.join(takes)}" if takes else "takes none here"
            raise TrainingError(f"the {setting} {name} has no argument {_shown(argument)}: it {known}")
        if not takes[argument].takes(value):
            raise TrainingError(f"{argument} of the {setting} {name} must be {takes[argument]}, not {_shown(value)}")
    if lacking := [argument for argument, each in takes.items() if each.required and argument not in arguments]:
        raise TrainingError(f"the {setting} {name} needs {lacking[0]}: {takes[lacking[0]]}")


def check_offered(config: TrainingConfig) -> None:
    """Refuse a training that names anything that is not offered, however it came to be named.

    Raises:
        TrainingError: it does.
    """
    station = config.station
    named = {"model": config.model, "strategy": config.strategy}
    if station is not None:
        named |= {name: getattr(station, name) for name in ("optimizer", "schedule", "loss", "precision")}
    for setting, text in named.items():
        if text is not None:
            check_named(setting, text)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
