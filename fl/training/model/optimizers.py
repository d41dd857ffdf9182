"""Optimizers of clients other than plain SGD, and their learning rate in each global round."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch

from fl.training.config import StationConfig
from fl.training.errors import TrainingError
from fl.training.named import asking, resolve, split

_OPTIMIZERS = "torch.optim"
_SCHEDULES = "torch.optim.lr_scheduler"


class Optimizer:
    """An optimizer of torch's interface that is given its gradients.

    Args:
        config: which, and its weight decay.
        parameters: that it changes.
        rate: its learning rate.

    Raises:
        TrainingError: there is no such optimizer, or it does not take these arguments.
    """

    def __init__(self, config: StationConfig, parameters: Sequence[torch.Tensor], rate: float):
        self._name, self._parameters = config.optimizer, parameters
        make = resolve(config.optimizer, "optimizer", _OPTIMIZERS)
        given = split(config.optimizer, "optimizer")[1]
        if "lr" in given:
            raise TrainingError(f"the rate of {self._name} is learning_rate: give that, and leave lr out")
        decay = {"weight_decay": config.weight_decay} if config.weight_decay else {}
        if decay.keys() & given.keys():
            raise TrainingError(f"{self._name} has a weight_decay of its own: give one of the two")
        with asking(f"the optimizer {self._name} cannot be made"):
            self._optimizer = make(list(parameters), lr=rate, **decay)
        if not callable(getattr(self._optimizer, "step", None)):
            raise TrainingError(f"the optimizer {self._name} is none of torch's: it takes no steps")

    def step(self, gradients: Sequence[torch.Tensor]) -> None:
        """One step.

        Raises:
            TrainingError: it fails.
        """
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        try:
            with asking(f"the optimizer {self._name} fails"):
                self._optimizer.step()
        finally:
            for parameter in self._parameters:
                parameter.grad = None


def rate_in(config: StationConfig, global_round: int) -> float:
    """The clients' learning rate in a global round.

    It follows from the settings and the number of the round alone, so a run that was stopped needs no other state.

    Raises:
        TrainingError: there is no such schedule, it fails, or its rate is negative or no number.
    """
    if config.schedule is None:
        return config.learning_rate
    return _Rates.of(config.schedule, config.learning_rate).in_round(global_round)


class _Rates:
    """The rates that a schedule gives, kept as far as they were asked for."""

    def __init__(self, schedule: str, rate: float):
        self._schedule = schedule
        self._rates: list[float] = []
        self._more = _rates(schedule, rate)

    @staticmethod
    @lru_cache(maxsize=64)
    def of(schedule: str, rate: float) -> _Rates:
        return _Rates(schedule, rate)

    def in_round(self, global_round: int) -> float:
        while len(self._rates) <= global_round:
            if (rate := next(self._more, None)) is None:
                raise TrainingError(f"the schedule {self._schedule} has failed in global round {len(self._rates)}")
            self._rates.append(rate)
        return self._rates[global_round]


def _rates(schedule: str, rate: float) -> Iterator[float]:
    make = resolve(schedule, "schedule", _SCHEDULES)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate)
    scheduler: Any = None
    for number in range(2**31):
        with asking(f"the schedule {schedule} fails in global round {number}"):
            if number == 0:
                scheduler = make(optimizer)
            else:
                with warnings.catch_warnings(action="ignore"):  # that no step was taken
                    scheduler.step()
            found = float(optimizer.param_groups[0]["lr"])
        if not (found >= 0 and math.isfinite(found)):
            raise TrainingError(f"the schedule {schedule} gives a rate of {found} in global round {number}")
        yield found
