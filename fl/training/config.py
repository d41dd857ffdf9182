"""What a training run is made of, as plain values (no torch here)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from fl.training.errors import TrainingError

METHODS = ("none", "margin", "leave-one-out", "shapley")
"""How the contribution of base stations can be measured (see `fl.training.contribution.methods`)."""


PRECISIONS = ("float32", "tf32", "bfloat16")
"""What clients can compute in."""


_MOST = 2**31 - 1
"""Of any count: what numpy and torch count with is no larger everywhere."""

_LARGEST = 1e38
"""Of what float32 computes with."""

_MOST_THREADS = 1024
"""Of which a machine has room for the stacks; with a hundred times as many torch ends the process."""

_MOST_BITS = 16
"""Of a quantised parameter: with more, its 24 bits would be rounded rather than drawn."""

_KINDS: dict[str, tuple[type, str]] = {
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "str": (str, "text"),
    "bool": (bool, "True or False"),
    "Path": (Path, "a path"),
    "tuple[str, ...]": (tuple, "a tuple of labels"),
    "Mapping[int, StationConfig]": (Mapping, "a mapping from base stations' indices to StationConfigs"),
}
"""By the annotation of a setting: the class of its values, and what to call it."""


def _check_kinds(settings: Rule | Privacy | StationConfig | TrainingConfig) -> None:
    """Check that each setting is of its kind: Python says nothing until something fails on it, rounds later.

    Numbers of numpy and others become Python's own, which JSON holds.
    """
    for setting in fields(settings):
        value, kind = getattr(settings, setting.name), str(setting.type).removesuffix(" | None")
        if value is None and kind != setting.type:
            continue
        expected, words = _KINDS[kind]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise TrainingError(f"{setting.name} must be {words}, not {value!r}")
        if expected in (Integral, Real) and not isinstance(value, int):
            number: Any = value
            object.__setattr__(settings, setting.name, int(number) if isinstance(value, Integral) else float(number))


def _at_least(name: str, value: int, least: int, most: int = _MOST) -> None:
    if value < least:
        raise TrainingError(f"{name} must be at least {least}, not {value}")
    if value > most:
        raise TrainingError(f"{name} must be at most {most:,}, not {value}")


@dataclass(frozen=True)
class Rule:
    """How models are combined into one, at a base station or globally (see `fl.training.averaging.combine`).

    Attributes:
        name: "mean" (weighted by samples), "median", "trimmed-mean" or "multi-krum".
        tolerate: f, how many arbitrarily wrong models the last two are to withstand.
    """

    name: str = "mean"
    tolerate: int = 0

    def __post_init__(self) -> None:
        _check_kinds(self)
        if self.name not in _LEAST:
            raise TrainingError(f"unknown aggregation rule {self.name!r}: choose one of {', '.join(_LEAST)}")
        if self.name in ("mean", "median"):
            if self.tolerate != 0:
                raise TrainingError(f"the {self.name} takes no number of wrong models to tolerate")
        elif self.tolerate < 1:
            raise TrainingError(f"{self.name} must tolerate at least 1 wrong model, not {self.tolerate}")

    def __str__(self) -> str:
        return f"{self.name} tolerating {self.tolerate}" if self.tolerate else self.name

    @property
    def least(self) -> int:
        """The fewest models that it can combine."""
        return self.least_beside(0)

    def least_beside(self, dropped: int) -> int:
        """The fewest models that it can combine beside `dropped` ones that were wrong and are left out already.

        Those count among the f, so that fewer of the others need to be outvoted.
        """
        slope, offset = _LEAST[self.name]
        return slope * max(0, self.tolerate - dropped) + offset


_KINDS["Rule"] = (Rule, "a Rule, such as Rule('median')")

_LEAST: Mapping[str, tuple[int, int]] = {"mean": (0, 1), "median": (0, 1), "trimmed-mean": (2, 1), "multi-krum": (2, 3)}
"""Each rule's fewest models as slope · f + offset."""

RULES = tuple(_LEAST)

NOISE_AT = ("station", "client")
"""Where noise can be added to clients' updates."""


@dataclass(frozen=True)
class Privacy:
    """Differential privacy of clients: what each sends is clipped, and noise hides it (`fl.training.sending.privacy`).

    Attributes:
        clipping_norm: C, the largest Euclidean norm of what a client's model may have moved by.
        noise_multiplier: z; the noise has the standard deviation z · C.
        at: "station": the base station adds it to the sum of its clients' updates, and sees those; "client": every
            client adds it to its own.
        delta: δ, for which ε is worked out.
    """

    clipping_norm: float
    noise_multiplier: float
    at: str = "station"
    delta: float = 1e-5

    def __post_init__(self) -> None:
        _check_kinds(self)
        for name in ("clipping_norm", "noise_multiplier"):
            if not 0 < getattr(self, name) <= _LARGEST:
                raise TrainingError(f"{name} must be above 0 and at most {_LARGEST}, not {getattr(self, name)}")
        if (deviation := self.clipping_norm * self.noise_multiplier) > _LARGEST:
            raise TrainingError(f"clipping_norm times noise_multiplier must be at most {_LARGEST}, not {deviation}")
        if self.at not in NOISE_AT:
            raise TrainingError(f"noise is added at one of {', '.join(NOISE_AT)}, not {self.at!r}")
        if not 0 < self.delta < 1:
            raise TrainingError(f"delta must be in (0, 1), not {self.delta}")


_KINDS["Privacy"] = (Privacy, "a Privacy")


@dataclass(frozen=True)
class StationConfig:
    """How a base station trains one global round with its clients (HierFAVG, Liu et al. 2020, Algorithm 1).

    Attributes:
        local_epochs: κ1, passes of each client over its data between two edge aggregations.
        edge_aggregations: κ2, averages over the clients of a base station in one global round.
        batch_size: samples in one step of a client's SGD.
        learning_rate: of the clients' optimizer.
        momentum: of the clients' SGD; starts at rest at each edge aggregation, as whatever another optimizer carries.
        optimizer: of clients: the name of one in torch.optim, with arguments if need be, or the dotted path of
            something that makes one of parameters and `lr` (`fl.training.named`). Any but "SGD" takes its momentum, if
            it has one, from its arguments.
        schedule: of the learning rate over global rounds, the same at all edge aggregations of one: the name of one in
            torch.optim.lr_scheduler, or the dotted path of something that makes one of an optimizer.
        weight_decay: of the clients' optimizer.
        gradient_clip: what the norm of a step's gradient, over all parameters, is cut to; None: it is as it is.
        loss: that clients minimise and models are judged by: the name of one in torch.nn.functional, or the dotted path
            of a function of outputs and labels that returns their mean loss.
        threads: torch's threads while it computes. One is fastest for models this small, and never waits for
            a core that something else holds.
        proximal: μ of FedProx (Li et al. 2020): a client's loss gains μ/2 · ‖w − w₀‖², w₀ being the model that
            it received; 0: plain SGD.
        augment: shift each training image by up to 4 pixels and mirror it at random, at every step.
        transform: the dotted path of what is to be done to each batch of training inputs [n, *shape] at every step,
            such as one of torchvision's transforms; what it draws from torch's generator follows from the seed.
        client_fraction: share of the clients drawn for each edge aggregation (McMahan et al. 2017's C); at
            least one is.
        client_dropout: probability that a drawn client receives the model and never returns one.
        stragglers: probability that a drawn client gets through some of its local epochs only, 1 … κ1 with
            equal probability (Li et al. 2020, section 5.2).
        drop_stragglers: leave stragglers out, as FedAvg does, instead of using what they did, as FedProx does.
        rule: how the clients' models are combined.
        precision: of the clients' forward and backward passes, one of `PRECISIONS`; parameters are float32. In
            "bfloat16" each operation is computed as torch.autocast chooses, which is faster on processors made for it;
            in "tf32" a GPU rounds what convolutions and matrix products multiply to ten bits.
        graphs: record each client's step as a CUDA graph once and replay it, one launch instead of hundreds; the model
            must compute the same operations for every batch of a size. None: on a GPU, with a model of this library,
            where the other settings allow it.
        client_bits: of each parameter of the updates that clients send (see `fl.training.sending.quantisation`); None:
            they send their models.
        station_bits: the same of the updates that the base station sends to the cloud.
        privacy: of the clients; None: their updates are sent as they are. With it clients' models weigh alike where the
            base station adds the noise, and whose training diverged has not moved.
    """

    local_epochs: int = 2
    edge_aggregations: int = 2
    batch_size: int = 16
    learning_rate: float = 0.1
    momentum: float = 0.8
    optimizer: str = "SGD"
    schedule: str | None = None
    weight_decay: float = 0.0
    gradient_clip: float | None = None
    loss: str = "cross_entropy"
    threads: int = 1
    proximal: float = 0.0
    augment: bool = False
    transform: str | None = None
    client_fraction: float = 1.0
    client_dropout: float = 0.0
    stragglers: float = 0.0
    drop_stragglers: bool = False
    rule: Rule = Rule()
    precision: str = "float32"
    graphs: bool | None = None
    client_bits: int | None = None
    station_bits: int | None = None
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        _check_kinds(self)
        if self.precision not in PRECISIONS:
            raise TrainingError(f"unknown precision {self.precision!r}: choose one of {', '.join(PRECISIONS)}")
        for name in ("local_epochs", "edge_aggregations", "batch_size"):
            _at_least(name, getattr(self, name), 1)
        _at_least("threads", self.threads, 1, _MOST_THREADS)
        for name in ("client_bits", "station_bits"):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), 2, _MOST_BITS)
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise TrainingError(f"learning_rate must be positive, not {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise TrainingError(f"momentum must be in [0, 1), not {self.momentum}")
        for name in ("proximal", "weight_decay"):
            if not 0 <= getattr(self, name) <= _LARGEST:
                raise TrainingError(f"{name} must be in [0, {_LARGEST}], not {getattr(self, name)}")
        if self.gradient_clip is not None and not 0 < self.gradient_clip <= _LARGEST:
            raise TrainingError(f"gradient_clip must be in (0, {_LARGEST}], not {self.gradient_clip}")
        if self.graphs and not self.recordable:
            raise TrainingError("graphs record steps of SGD at one rate: leave optimizer and schedule out, or graphs")
        if not 0 < self.client_fraction <= 1:
            raise TrainingError(f"client_fraction must be in (0, 1], not {self.client_fraction}")
        if not 0 <= self.client_dropout < 1:
            raise TrainingError(f"client_dropout must be in [0, 1), not {self.client_dropout}")
        if not 0 <= self.stragglers <= 1:
            raise TrainingError(f"stragglers must be in [0, 1], not {self.stragglers}")
        if self.privacy is not None and self.privacy.at == "station" and self.rule.name != "mean":
            raise TrainingError(f"noise at the base station hides a client in a mean, not in a {self.rule.name}")

    @property
    def recordable(self) -> bool:
        """Whether steps can be recorded: of SGD, at one rate."""
        return (self.optimizer, self.schedule) == ("SGD", None)


_KINDS["StationConfig"] = (StationConfig, "a StationConfig")


@dataclass(frozen=True)
class Defaults:
    """What suits a data set: three global rounds of four base stations of two clients learn it."""

    model: str
    station: StationConfig


DEFAULTS: Mapping[str, Defaults] = {
    "digits": Defaults("small-cnn", StationConfig()),
    "cifar10": Defaults("cnn", StationConfig(2, 1, batch_size=25, learning_rate=0.05, momentum=0.9)),
}
"""By name of the data set."""


@dataclass(frozen=True)
class TrainingConfig:
    """A whole hierarchical training run; equal configurations give equal digests on one machine.

    FedAvg is one base station with one edge aggregation, or several with one each.

    Attributes:
        dataset: "digits" (8×8, ships with scikit-learn) or "cifar10"; or what `fl.training.data.dataset.load_dataset`
            takes beside these: another of a library, or the dotted path of a function of one's own.
        data_dir: for "cifar10", a folder to read it from instead of downloading: of images
            (`train/<label>/*.jpg`, `test/<label>/*.jpg`) or what torchvision downloads (`cifar-10-batches-py`).
        targets: the target labels, what the model is trained on and judged by; None: all.
        train_images: how many training images of the target labels to use, drawn by the seed; None: all.
        test_images: how many test images of the target labels to judge by, the same for every seed; None:
            all.
        model: a name in `fl.training.model.spec.MODELS`, or the dotted path of a factory of one's own
            (`package.module:factory`); None: what suits the data set (`DEFAULTS`).
        stations: number of base stations.
        clients: number of clients of each base station.
        alpha: concentration of the Dirichlet split of each label over all clients (small: uneven).
        shards: shards for each client in the split by label (McMahan et al. 2017: 2). Without `alpha` and `shards` the
            split is IID.
        partition: the dotted path of a function that splits the training data in another way
            (`fl.training.federation.Partition`).
        rounds: number of global rounds.
        patience: end a run once the accuracy of the global model has not got better for so many global rounds; None:
            after `rounds` only. A run's folder then keeps the best model too.
        seed: of the split, the initial model, every client's order of samples, and who is missing when.
        station: how a base station trains one global round; None: what suits the data set (`DEFAULTS`).
        per_station: of base stations by index, those whose settings are not `station`.
        rule: how the base stations' models are combined.
        metric: what models are judged by beside their loss, for each sample from 0, wrong, to 1, right; its mean is
            called accuracy. One in `fl.training.model.metrics` by name, or the dotted path of a function of outputs and
            labels that returns [n].
        strategy: what is added to averaging: one in `fl.training.strategies` by name, with arguments if need be, or the
            dotted path of something that makes a `fl.training.strategy.Strategy`.
        station_dropout: probability that a base station is missing in a global round.
        contribution: how the contribution of base stations is measured, one of `METHODS`.
        device: where to compute: "cpu", "cuda", "cuda:1", or "auto" for a GPU where there is one.
    """

    dataset: str = "digits"
    data_dir: Path | None = None
    targets: tuple[str, ...] | None = None
    train_images: int | None = None
    test_images: int | None = None
    model: str | None = None
    stations: int = 4
    clients: int = 2
    alpha: float | None = None
    shards: int | None = None
    partition: str | None = None
    rounds: int = 3
    patience: int | None = None
    seed: int = 0
    station: StationConfig | None = None
    per_station: Mapping[int, StationConfig] = field(default_factory=dict, hash=False)
    rule: Rule = Rule()
    metric: str = "accuracy"
    strategy: str = "FedAvg"
    station_dropout: float = 0.0
    contribution: str = "margin"
    device: str = "cpu"

    def __post_init__(self) -> None:
        # what means the same is taken as such
        for name, given, kind in (("data_dir", str, Path), ("targets", list, tuple)):
            if isinstance(getattr(self, name), given):
                object.__setattr__(self, name, kind(getattr(self, name)))
        _check_kinds(self)
        if bad := [target for target in self.targets or () if not isinstance(target, str)]:
            raise TrainingError(f"a target label must be text, not {bad[0]!r}")
        for name in ("stations", "clients", "rounds"):
            _at_least(name, getattr(self, name), 1)
        if self.seed < 0:
            raise TrainingError(f"seed must be at least 0, not {self.seed}")
        for name in ("train_images", "test_images", "shards", "patience"):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), 1)
        if self.alpha is not None and not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise TrainingError(f"alpha must be positive, not {self.alpha}")
        if len(ways := [name for name in ("alpha", "shards", "partition") if getattr(self, name) is not None]) > 1:
            raise TrainingError(f"{' and '.join(ways)} are two ways to split: give one of them")
        for index, own in self.per_station.items():
            if not isinstance(own, StationConfig):
                raise TrainingError(f"per_station must hold StationConfigs, not {own!r}")
            if index not in range(self.stations):
                raise TrainingError(f"per_station names base station {index!r}; there are 0 … {self.stations - 1}")
        if not 0 <= self.station_dropout < 1:
            raise TrainingError(f"station_dropout must be in [0, 1), not {self.station_dropout}")
        if self.contribution not in METHODS:
            raise TrainingError(f"unknown contribution {self.contribution!r}: choose one of {', '.join(METHODS)}")
