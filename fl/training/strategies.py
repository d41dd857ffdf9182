"""Strategies by name: what a run's `strategy` says, such as `FedAdam(learning_rate=0.03)`.

The server's steps of FedAvgM, FedAdam and FedYogi multiply, add, divide and take roots one after the other, each
rounded as IEEE 754 says: whoever holds the updates finds the same bits, whatever its CPU. PyTorch's `add(…, alpha=…)`
is rounded once or twice as the CPU has it, and its roots are those of a library that promises less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.errors import TrainingError
from fl.training.model.parameters import State
from fl.training.named import asking, resolve
from fl.training.strategy import Strategy


def _check(strategy: Strategy, decays: Sequence[str], positive: Sequence[str] = ()) -> None:
    """Check a strategy's arguments, by name: those in [0, 1), and those above 0."""
    for name in (*decays, *positive):
        value = getattr(strategy, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TrainingError(f"{type(strategy).__name__}'s {name} must be a number, not {value!r}")
        if not (0 <= value < 1 if name in decays else 0 < value < math.inf):
            bounds = "in [0, 1)" if name in decays else "above 0"
            raise TrainingError(f"{type(strategy).__name__}'s {name} must be {bounds}, not {value}")


class FedAvg(Strategy):
    """Federated averaging (McMahan et al. 2017), hierarchical with base stations (Liu et al. 2020)."""


@dataclass(frozen=True)
class FedAvgM(Strategy):
    """The server's momentum β (Hsu, Qi and Brown 2019): v ← β·v + (w − w̄), w ← w − v, w̄ being the combined model.

    Attributes:
        momentum: β.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        _check(self, ("momentum",))

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        """See `Strategy`; the server's state is v."""
        velocity: State = {}
        for name in model:
            step = model[name] - combined[name]
            velocity[name] = server[name].to(step).mul(self.momentum).add_(step) if name in server else step
        return {name: model[name] - velocity[name] for name in model}, velocity


@dataclass(frozen=True)
class FedAdam(Strategy):
    """Adam at the server (Reddi et al. 2021, Algorithm 2): w ← w + η·m / (√v + τ), for the mean update Δ = w̄ − w.

    m ← β₁·m + (1 − β₁)·Δ and v ← β₂·v + (1 − β₂)·Δ², from m = 0 and v = τ².

    Attributes:
        learning_rate: η.
        beta1: β₁.
        beta2: β₂.
        tau: τ, how adaptive it is: the smaller the more.
    """

    learning_rate: float = 0.03
    beta1: float = 0.9
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        _check(self, ("beta1", "beta2"), ("learning_rate", "tau"))

    def second_moment(self, moment: torch.Tensor, squared: torch.Tensor) -> torch.Tensor:
        """V of Δ²."""
        return self.beta2 * moment + (1 - self.beta2) * squared

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        """See `Strategy`; the server's state is m and v of each parameter."""
        moved: State = {}
        after: State = {}
        for name in model:
            update = combined[name] - model[name]
            first = server[f"m.{name}"].to(update) if server else torch.zeros_like(update)
            second = server[f"v.{name}"].to(update) if server else torch.full_like(update, self.tau**2)
            first = self.beta1 * first + (1 - self.beta1) * update
            second = self.second_moment(second, update.square())
            moved[name] = model[name] + self.learning_rate * first / (_root(second) + self.tau)
            after[f"m.{name}"], after[f"v.{name}"] = first, second
        return moved, after


def _root(tensor: torch.Tensor) -> torch.Tensor:
    """The square root of float32, rounded to the nearest.

    The root of 24 bits is at least 2^-51 of itself away from where two float32 meet, and that in float64 is closer.
    """
    return tensor.double().sqrt().to(tensor)


@dataclass(frozen=True)
class FedYogi(FedAdam):
    """Yogi at the server (Reddi et al. 2021, Algorithm 2): as `FedAdam`, but v ← v − (1 − β₂)·Δ²·sign(v − Δ²)."""

    def second_moment(self, moment: torch.Tensor, squared: torch.Tensor) -> torch.Tensor:
        """V of Δ²."""
        return moment - (1 - self.beta2) * squared * torch.sign(moment - squared)


@dataclass(frozen=True)
class SCAFFOLD(Strategy):
    """Control variates against the drift of clients whose data differ (Karimireddy et al. 2020, Algorithm 1).

    By its option II a client steps along g − cᵢ + c, and after K steps from x to y cᵢ ← cᵢ − c + (x − y) / (K·η). c is
    the mean of all cᵢ, and the server moves x by η_g of the way to the combined model. So clients count alike, as in
    the paper: what is minimised is the mean of their losses, where FedAvg weighs each by its samples.

    Attributes:
        learning_rate: η_g.
    """

    learning_rate: float = 1.0

    def __post_init__(self) -> None:
        _check(self, (), ("learning_rate",))

    def check(self, station: StationConfig) -> None:
        """See `Strategy`: (x − y) / (K·η) is the mean gradient of plain SGD only."""
        further = (station.momentum, station.proximal, station.weight_decay, station.gradient_clip)
        if station.optimizer != "SGD" or any(further):
            raise TrainingError(
                "SCAFFOLD's clients take plain steps of SGD: set momentum to 0 and leave other optimizers, proximal, "
                "weight_decay and gradient_clip out"
            )

    def broadcast(self, server: State) -> State:
        """See `Strategy`: c."""
        return server

    def correction(self, broadcast: State, client: State) -> State:
        """See `Strategy`: c − cᵢ."""
        if not broadcast:
            return {}
        return {name: each - client[name] if client else each for name, each in broadcast.items()}

    def update_client(
        self, broadcast: State, client: State, start: State, end: State, steps: int, learning_rate: float, samples: int
    ) -> State:
        """See `Strategy`; a client's state is cᵢ."""
        if learning_rate == 0:
            return client
        correction = self.correction(broadcast, client)
        mean = {name: (start[name] - end[name]) / (steps * learning_rate) for name in start}
        return {name: each - correction[name] if correction else each for name, each in mean.items()}

    def update_server(
        self, model: State, combined: State, server: State, clients: Mapping[tuple[int, int], State]
    ) -> tuple[State, State]:
        """See `Strategy`; the server's state is c."""
        moved = combined
        if self.learning_rate != 1:
            moved = {name: torch.lerp(model[name], combined[name], self.learning_rate) for name in model}
        control: State = {}
        for name, tensor in model.items():
            total = torch.zeros_like(tensor, dtype=torch.float64)
            for state in clients.values():
                if state:
                    total += state[name].to(total)
            control[name] = (total / max(1, len(clients))).to(tensor)
        return moved, control


STRATEGIES: Mapping[str, type[Strategy]] = {
    each.__name__: each for each in (FedAvg, FedAvgM, FedAdam, FedYogi, SCAFFOLD)
}
"""By name."""


def strategy_of(config: TrainingConfig) -> Strategy:
    """The strategy that a configuration names.

    Raises:
        TrainingError: there is none, or it does not take its arguments.
    """
    name = config.strategy
    make = resolve(name, "strategy", STRATEGIES)
    with asking(f"the strategy {name} cannot be made"):
        strategy = make()
    if not isinstance(strategy, Strategy):
        raise TrainingError(f"{name} is {type(strategy).__name__}, not a fl.training.strategy.Strategy")
    methods = [method for method in vars(Strategy) if not method.startswith("_")]
    if not isinstance(strategy, FedAvg) and all(
        getattr(type(strategy), each) is getattr(Strategy, each) for each in methods
    ):
        raise TrainingError(f"the strategy {name} overrides nothing of Strategy: it has {', '.join(methods)}")
    if config.rule != Rule() and type(strategy).combine is not Strategy.combine:
        raise TrainingError(f"the strategy {name} combines models itself, and not by {config.rule}: leave the rule out")
    return strategy
