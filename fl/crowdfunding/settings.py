"""What a round is played with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from fl.faults import Fault
from fl.market.bids import MAX_BID, MAX_MODELS
from fl.market.terms import SHORTEST_PHASE, Policy
from fl.members.training import NAMED
from fl.training.config import DEFAULTS, METHODS, Rule, TrainingConfig
from fl.training.data.dataset import labels_of
from fl.training.offered import check_offered

VALUE_MEAN = 10
COST_MEAN = 5
"""Gwei a label that owners gain and base stations spend on average (paper, section V-C)."""

CLAIMS_BPS = {"digits": 8_500, "cifar10": 2_500}
"""Accuracy that an honest proposer can promise of the default training, whatever the labels, 1/10,000."""

CONTRIBUTIONS = tuple(method for method in METHODS if method != "none")
"""How contributions can be measured: without any the base stations' stakes would be for nothing."""

THETA_BPS = (2_000, 6_000)
"""The range that θ is taken from, 1/10,000, where owners share equally."""

CREATION_SECONDS = 30
"""Until a round is created: its phases are counted from then on."""

MAX_PHASE_SECONDS = 4_500_000
"""Seven phases end within a year (`IHCFL.DeadlineTooFar`)."""


class SettingsError(Fault, ValueError):
    """Options of a round that do not fit together."""


class Misbehaviour(Enum):
    """Which member misbehaves, and how."""

    NONE = "none"
    NON_REVEALER = "the last owner commits its bids and never reveals them"
    BAD_WINNER = "the winner reports a model that it has not trained"
    ABSENT_STATION = "the last base station never records an update"
    PARTIAL_STATION = "the last base station records the first half of the global rounds only"


@dataclass(frozen=True)
class RoundSettings:
    """A round's options.

    Attributes:
        owners: number of owners, at least 2.
        base_stations: number of base stations, at least 3.
        clients: clients of each base station.
        models: number of owners that propose a model; None: all, 64 at most.
        owner_policy: how owners share the total payment.
        seed: of every draw: with θ given or left out, on a development node, it fixes all money too.
        theta_bps: the range that the chain draws θ from, 1/10,000; None: one point of `THETA_BPS` that the seed picks,
            0 under capability.
        stake: what every base station stakes upon its contribution, gwei.
        tolerance: the measured accuracy may be so much below the claimed one, 0 … 1.
        misbehaviour: of one member.
        phase_seconds: length of each phase.
        local_epochs: κ1; None, as for the other settings of clients' training: the data set's default.
        edge_aggregations: κ2.
        batch_size: see `fl.training.config.StationConfig`, as of those that follow.
        learning_rate: of the clients' optimizer.
        momentum: of the clients' SGD.
        optimizer: of clients, by name.
        schedule: of the learning rate, by name.
        weight_decay: of the clients' optimizer.
        gradient_clip: of a step.
        loss: that clients minimise, by name.
        proximal: μ of FedProx.
        augment: training images at random.
        precision: what clients compute in.
        client_bits: of each parameter that clients send.
        strategy: of the server, by name.
        edge_rule: how clients' models are combined.
        global_rule: how base stations' models are combined.
        contribution: how owners measure the contributions of base stations, one of `CONTRIBUTIONS`.
        workers: worker processes that base stations train in; 0 or 1: none; None: what suits.
        claim: accuracy that each proposal claims, 0 … 1; None: the data set's default.
        pilot: part of the training images on which each proposer trains a pilot, 0 … 1, to forecast the accuracy that
            it claims; None: it claims what `claim` says.

    Raises:
        SettingsError: they do not fit together.
        TrainingError: nothing can be trained with them.
    """

    owners: int = 4
    base_stations: int = 4
    clients: int = 2
    models: int | None = None
    owner_policy: Policy = Policy.EQUAL
    seed: int = 1
    theta_bps: tuple[int, int] | None = None
    stake: int = 0
    tolerance: float = 0.03
    dataset: str = "digits"
    data_dir: Path | None = None
    model: str | None = None
    train_images: int | None = None
    test_images: int | None = None
    rounds: int = 3
    alpha: float | None = None
    misbehaviour: Misbehaviour = Misbehaviour.NONE
    phase_seconds: int = 3_600
    claim: float | None = None
    pilot: float | None = None
    local_epochs: int | None = None
    edge_aggregations: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    optimizer: str | None = None
    schedule: str | None = None
    weight_decay: float | None = None
    gradient_clip: float | None = None
    loss: str | None = None
    proximal: float | None = None
    augment: bool | None = None
    precision: str | None = None
    client_bits: int | None = None
    strategy: str = "FedAvg"
    edge_rule: Rule = field(default_factory=Rule)
    global_rule: Rule = field(default_factory=Rule)
    contribution: str = "margin"
    workers: int | None = None

    def __post_init__(self) -> None:
        for name, count, least in (("owners", self.owners, 2), ("base stations", self.base_stations, 3)):
            if count < least:
                raise SettingsError(f"a round needs at least {least} {name}, not {count}: with fewer it is cancelled")
        if self.models is not None and not 1 <= self.models <= min(self.owners, MAX_MODELS):
            raise SettingsError(
                f"{self.models} models cannot be proposed: 1 … {min(self.owners, MAX_MODELS)}, one an owner at most"
            )
        if self.theta_bps is not None:
            low, high = self.theta_bps
            if not 0 <= low <= high < 10_000:
                raise SettingsError(
                    f"--theta is below 1, and a range's lower end comes first: not {low / 1e4}-{high / 1e4}"
                )
            if self.owner_policy is Policy.CAPABILITY and high:
                raise SettingsError("--theta is 0 where owners share by capability: leave it out")
        if not 0 <= self.stake <= MAX_BID:
            raise SettingsError(f"--stake is 0 … {MAX_BID} gwei, not {self.stake}")
        if not 0 <= self.tolerance < 1:  # nor nan
            raise SettingsError(f"--tolerance is a difference of accuracies, 0 … 1, not {self.tolerance}")
        if self.misbehaviour is Misbehaviour.PARTIAL_STATION and self.rounds < 2:
            raise SettingsError("--partial-station needs --rounds 2 or more: one global round has no parts")
        if not 1 <= self.rounds <= 256:
            raise SettingsError(f"a model trains 1 … 256 global rounds, not {self.rounds}")
        if not SHORTEST_PHASE <= self.phase_seconds <= MAX_PHASE_SECONDS:
            raise SettingsError(
                f"--phase-seconds is {SHORTEST_PHASE} … {MAX_PHASE_SECONDS:,}, not {self.phase_seconds:,}: "
                "every member's calls have to fit into a phase, and all phases into a year"
            )
        if self.claim is not None and not 0 <= self.claim <= 1:  # nor nan
            raise SettingsError(f"--claim is an accuracy, 0 … 1, not {self.claim}")
        if self.pilot is not None and not 0 < self.pilot <= 1:  # nor nan
            raise SettingsError(f"--pilot is a part of the training images, above 0 and at most 1, not {self.pilot}")
        if self.pilot is not None and self.claim is not None:
            raise SettingsError("--claim and --pilot both say what proposals claim: choose one")
        if self.contribution not in CONTRIBUTIONS:
            raise SettingsError(f"--contribution is one of {', '.join(CONTRIBUTIONS)}, not {self.contribution}")
        if self.workers is not None and self.workers < 0:
            raise SettingsError(f"--workers is a number of processes, 0 or more, not {self.workers}")
        check_offered(self.training(()))

    @property
    def proposals(self) -> int:
        """Number of models proposed."""
        return min(self.owners, MAX_MODELS) if self.models is None else self.models

    @property
    def claimed_accuracy_bps(self) -> int:
        """What each proposal claims, 1/10,000."""
        return CLAIMS_BPS[self.dataset] if self.claim is None else round(self.claim * 10_000)

    def training(self, targets: tuple[str, ...]) -> TrainingConfig:
        """The training of a model with these target labels."""
        station = DEFAULTS[self.dataset].station
        given = {name: value for name in NAMED if (value := getattr(self, name)) is not None}
        return TrainingConfig(
            dataset=self.dataset,
            data_dir=self.data_dir,
            targets=targets,
            train_images=self.train_images,
            test_images=self.test_images,
            model=self.model,
            stations=self.base_stations,
            clients=self.clients,
            alpha=self.alpha,
            rounds=self.rounds,
            seed=self.seed,
            rule=self.global_rule,
            strategy=self.strategy,
            contribution=self.contribution,
            station=replace(station, rule=self.edge_rule, **given),
        )


def theta_of(text: str) -> tuple[int, int]:
    """A range of θ, 1/10,000, from one number or two: "0.4", "0.2-0.6".

    Raises:
        SettingsError: it is neither.
    """
    try:
        low, *rest = (round(float(part) * 10_000) for part in text.split("-"))
        (high,) = rest or [low]
    except (ValueError, OverflowError):
        raise SettingsError(f"--theta is one number below 1 or a range of two, as in 0.2-0.6, not {text}") from None
    return low, high


def settings_of(options: Mapping[str, Any]) -> RoundSettings:
    """The settings that the command's options ask for; imports no torch, so that a wrong one is told at once.

    Raises:
        SettingsError: they do not fit together.
        TrainingError: nothing can be trained with them.
    """
    flags = {
        "non_revealer": Misbehaviour.NON_REVEALER,
        "bad_winner": Misbehaviour.BAD_WINNER,
        "absent_station": Misbehaviour.ABSENT_STATION,
        "partial_station": Misbehaviour.PARTIAL_STATION,
    }
    raised = [name for name in flags if options[name]]
    if len(raised) > 1:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in flags)
        raise SettingsError(f"one member misbehaves: choose one of {names}")
    data_dir, theta = options["data_dir"], options["theta"]
    given = {name: options[name] for name in options if name in RoundSettings.__dataclass_fields__}
    settings = RoundSettings(
        **{
            **given,
            "owner_policy": Policy[options["policy"].upper()],
            "theta_bps": None if theta is None else theta_of(theta),
            "data_dir": None if data_dir is None else Path(data_dir),
            **{
                f"{tier}_rule": Rule(options[f"{tier}_rule"], options[f"{tier}_tolerate"])
                for tier in ("edge", "global")
            },
            "misbehaviour": flags[raised[0]] if raised else Misbehaviour.NONE,
        }
    )
    labels_of(settings.dataset, settings.data_dir)  # a folder that is not there
    return settings
