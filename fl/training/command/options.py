"""The command line of `python -m fl.training` (no torch here: `--help` comes at once)."""

from __future__ import annotations

import argparse
import csv
import tomllib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fl.faults import line_of
from fl.training.config import (
    DEFAULTS,
    METHODS,
    NOISE_AT,
    PRECISIONS,
    RULES,
    Privacy,
    Rule,
    StationConfig,
    TrainingConfig,
)
from fl.training.errors import TrainingError
from fl.training.model.spec import MODELS


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Attributes:
        config: of the run.
        out: the run's folder; None: nothing is stored.
        keep_models: keep every global round's model there, not only the last two.
        evaluate_clients: judge each global model on every client's own samples too.
        tensorboard: folder for TensorBoard's files.
        client_link: Mbit/s and ms of the link between a client and its base station.
        cloud_link: the same between a base station and the cloud.
        seconds_per_image: given computing time; None: what is measured.
        links: CSV file of clients and base stations whose links and speeds differ (see `links_file`).
        workers: number of worker processes, of streams on a GPU; 0 or 1: none; None: what suits.

    Raises:
        TrainingError: an option is given that says nothing without another.
    """

    config: TrainingConfig
    out: Path | None = None
    keep_models: bool = False
    evaluate_clients: bool = False
    tensorboard: Path | None = None
    client_link: tuple[float, float] | None = None
    cloud_link: tuple[float, float] | None = None
    seconds_per_image: float | None = None
    links: Path | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name in ("out", "tensorboard", "links"):
            if isinstance(path := getattr(self, name), str):
                object.__setattr__(self, name, Path(path))
        given = {each.name for each in fields(self) if getattr(self, each.name) != each.default}
        for name, missing in _lacking(given):
            raise TrainingError(f"{name} goes with {' and '.join(missing)}")


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line.

    Raises:
        TrainingError: a setting is out of bounds.
    """
    parser = argparse.ArgumentParser(
        prog="python -m fl.training",
        usage="%(prog)s [option …] | plot RUN … | export RUN",
        description="Hierarchical federated averaging: clients, base stations, global model.",
        epilog="What is not given suits the data set. With --out, the same command started again goes on where it "
        "stopped. plot draws what a run has learnt, export writes its model as a state_dict. "
        "Example: python -m fl.training --targets 3,5 --seed 1",
    )
    _add_data(parser)
    _add_training(parser)
    _add_robustness(parser)
    _add_sending(parser)
    _add_output(parser)
    namespace = parser.parse_args(arguments)
    given = {name for name, value in vars(namespace).items() if value is not None and value is not False}
    for name, missing in _lacking(given):
        parser.error(f"{_option(name)} goes with {' and '.join(map(_option, missing))}")
    if namespace.evaluate_clients and not given & {"out", "tensorboard"}:
        parser.error("--evaluate-clients goes with --out or --tensorboard, where what it finds is written")
    if namespace.momentum is not None and namespace.optimizer not in (None, "SGD"):
        parser.error("--momentum is of plain SGD: give it to the optimizer, as in 'SGD(momentum=0.9)'")
    return _options({name: value for name, value in vars(namespace).items() if value is not None})


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


_GOES_WITH = {
    "client_link": ("cloud_link",),
    "cloud_link": ("client_link",),
    "seconds_per_image": ("client_link", "cloud_link"),
    "links": ("client_link", "cloud_link"),
    "clipping_norm": ("noise_multiplier",),
    "noise_multiplier": ("clipping_norm",),
    "noise_at": ("clipping_norm", "noise_multiplier"),
    "delta": ("clipping_norm", "noise_multiplier"),
    "drop_stragglers": ("stragglers",),
    "keep_models": ("out",),
}
"""Options that say nothing without others."""


def _lacking(given: Set[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Those of the given options that lack others, and which."""
    for name in sorted(given & _GOES_WITH.keys()):
        if missing := [each for each in _GOES_WITH[name] if each not in given]:
            yield name, missing


_PRIVACY = {
    "clipping_norm": "clipping_norm",
    "noise_multiplier": "noise_multiplier",
    "noise_at": "at",
    "delta": "delta",
}
"""Of each option the setting of `Privacy`."""


def _options(given: dict[str, Any]) -> Options:
    rules = {
        name: Rule(given.pop(f"{name}_rule", "mean"), given.pop(f"{name}_tolerate", 0)) for name in ("edge", "global")
    }
    names = {setting.name for setting in fields(StationConfig)}
    hidden = {name: given.pop(option) for option, name in _PRIVACY.items() if option in given}
    privacy = Privacy(**hidden) if hidden else None
    defaults = DEFAULTS[given["dataset"]].station if given["dataset"] in DEFAULTS else StationConfig()
    station = replace(
        defaults, rule=rules["edge"], privacy=privacy, **{name: given.pop(name) for name in names & given.keys()}
    )
    outputs = {name: given.pop(name) for name in {option.name for option in fields(Options)} & given.keys()}
    if file := given.pop("per_station", None):
        given["per_station"] = _per_station(file, station)
    return Options(TrainingConfig(station=station, rule=rules["global"], **given), **outputs)


def _per_station(file: Path, station: StationConfig) -> dict[int, StationConfig]:
    """A file of TOML with a table for each base station whose settings differ, named by its index."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return {_index(index): _own_settings(station, table) for index, table in tables.items()}
    except (OSError, UnicodeError, TypeError, ValueError) as error:
        raise TrainingError(f"{file} holds no settings of base stations: {line_of(error)}") from error


def _index(text: str) -> int:
    if not text.isdecimal() or text != str(int(text)):
        raise TrainingError(f"{text} is no number of a base station: its settings stand below [0], [1] and so on")
    return int(text)


def _own_settings(station: StationConfig, table: dict[str, Any]) -> StationConfig:
    """With `[3.rule]` and `[3.privacy]` as tables of their own."""
    if unknown := table.keys() - {setting.name for setting in fields(StationConfig)}:
        raise TrainingError(f"there is no setting {', '.join(sorted(unknown))} of a base station")
    made: dict[str, Any] = {}
    for name, kind in (("rule", Rule), ("privacy", Privacy)):
        if name in table:
            if not isinstance(table[name], dict):
                raise TrainingError(f"{name} is a table of its own, below [3.{name}] for base station 3")
            made[name] = kind(**table[name])
    own = replace(station, **table | made)
    if "momentum" in table and own.optimizer != "SGD":
        raise TrainingError("momentum is of plain SGD: give it to the optimizer, as in 'SGD(momentum=0.9)'")
    return own


def _add_data(parser: argparse.ArgumentParser) -> None:
    default, group = TrainingConfig(), parser.add_argument_group("data")
    add = group.add_argument
    add(
        "--dataset",
        metavar="NAME",
        default=default.dataset,
        help=f"{', '.join(DEFAULTS)}, sklearn:wine, torchvision:FashionMNIST and such, or package.module:function "
        f"({default.dataset})",
    )
    add(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="cifar10 from a folder: train/<label>/*.jpg and test/<label>/*.jpg, or cifar-10-batches-py; "
        "or where another data set's files are",
    )
    add("--targets", type=_labels, metavar="A,B,…", help='target labels, comma-separated, "in quotes" if need be (all)')
    add("--train-images", type=int, metavar="N", help="use only N training samples")
    add("--test-images", type=int, metavar="N", help="judge by only N test samples")
    add("--alpha", type=float, metavar="A", help="split by Dirichlet(A)")
    add("--shards", type=int, metavar="N", help="split by label into N shards per client (without either: IID)")
    add("--partition", metavar="PATH", help="split as a function of one's own does, package.module:function")
    add("--transform", metavar="PATH", help="done to each training batch, package.module:function")
    add("--augment", action="store_true", default=None, help="shift and mirror training images at random")


def _add_training(parser: argparse.ArgumentParser) -> None:
    default, group = TrainingConfig(), parser.add_argument_group("training")
    add = group.add_argument
    models = ", ".join(MODELS)
    add("--model", metavar="NAME", help=f"{models}, or package.module:factory (the data set's own)")
    add("--stations", type=int, metavar="N", help=f"base stations ({default.stations})")
    add("--per-station", type=Path, metavar="FILE", help="TOML with settings of single base stations: [3], then theirs")
    add("--clients", type=int, metavar="N", help=f"clients of each base station ({default.clients})")
    add("--rounds", type=int, metavar="N", help=f"global rounds ({default.rounds})")
    add("--patience", type=int, metavar="N", help="stop after N global rounds without better accuracy; keep the best")
    add("--local-epochs", type=int, metavar="N", help="κ1, local epochs between two edge aggregations")
    add("--edge-aggregations", type=int, metavar="N", help="κ2, edge aggregations in a global round")
    add("--batch-size", type=int, metavar="N", help="samples in a step of the clients' SGD")
    add("--learning-rate", type=float, metavar="R", help="of the clients' optimizer")
    add("--momentum", type=float, metavar="M", help="of the clients' SGD")
    add("--optimizer", metavar="NAME", help='of torch.optim, such as "Adam(betas=(0.9, 0.99))", or a path (SGD)')
    add(
        "--schedule",
        metavar="NAME",
        help='over global rounds, of torch.optim.lr_scheduler: "StepLR(step_size=5)", or a path',
    )
    add("--weight-decay", type=float, metavar="W", help="of the clients' optimizer (0)")
    add("--gradient-clip", type=float, metavar="C", help="most that the norm of a step's gradient is (no limit)")
    add("--loss", metavar="NAME", help='of torch.nn.functional: "cross_entropy(label_smoothing=0.1)", or a path')
    add(
        "--metric",
        metavar="NAME",
        help=f"label_accuracy, exact_match, within(tolerance=0.1), or a path ({default.metric})",
    )
    add("--proximal", type=float, metavar="MU", help="FedProx's μ (0)")
    add("--strategy", metavar="NAME", help="FedAvgM, FedAdam, FedYogi, SCAFFOLD, with arguments, or a path (FedAvg)")
    add("--seed", type=int, metavar="N", help=f"same seed, same digests ({default.seed})")
    add("--device", metavar="NAME", help=f"cpu, cuda, cuda:1 or auto ({default.device})")
    add(
        "--precision",
        choices=PRECISIONS,
        help="what clients compute in; tf32 takes a GPU, bfloat16 a processor made for it (float32)",
    )
    add(
        "--graphs",
        action=argparse.BooleanOptionalAction,
        help="record a client's step as a CUDA graph, or not (on a GPU, for plain SGD without code of your own)",
    )
    add("--threads", type=int, metavar="N", help="torch's threads (1)")
    add("--workers", type=int, metavar="N", help="worker processes, on a GPU streams, 0 for none (what suits)")


def _add_robustness(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who is missing, and what is withstood")
    add = group.add_argument
    add("--client-fraction", type=float, metavar="C", help="share of clients drawn for each edge aggregation (1)")
    add("--client-dropout", type=float, metavar="P", help="probability that a drawn client is missing (0)")
    add("--station-dropout", type=float, metavar="P", help="probability that a base station misses a round (0)")
    add(
        "--stragglers", type=float, metavar="P", help="probability that a client does only some of its local epochs (0)"
    )
    add("--drop-stragglers", action="store_true", default=None, help="leave stragglers out instead of using them")
    for where, whose in (("edge", "clients'"), ("global", "base stations'")):
        add(f"--{where}-rule", choices=RULES, help=f"how {whose} models are combined (mean)")
        add(f"--{where}-tolerate", type=int, metavar="F", help="wrong models that it withstands")


def _add_sending(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is sent").add_argument
    for tier, whose in (("client", "clients"), ("station", "base stations")):
        add(f"--{tier}-bits", type=int, metavar="N", help=f"{whose} send updates of N bits a parameter (whole models)")
    add("--clipping-norm", type=float, metavar="C", help="hide clients: their updates have at most this norm")
    add("--noise-multiplier", type=float, metavar="Z", help="and Gaussian noise of Z · C is added; ε is in the metrics")
    add("--noise-at", choices=NOISE_AT, help="where it is added, by whoever sees updates without it (station)")
    add("--delta", type=float, metavar="D", help="δ, for which ε is worked out (1e-5)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    default, group = TrainingConfig(), parser.add_argument_group("what is measured and stored")
    add = group.add_argument
    add("--contribution", choices=METHODS, help=f"of base stations, each global round ({default.contribution})")
    add("--out", type=Path, metavar="DIR", help="folder for checkpoints, models and metrics.jsonl")
    add("--keep-models", action="store_true", help="keep every global round's model, not only the last two")
    add("--evaluate-clients", action="store_true", help="judge each global model on every client's own samples too")
    add("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard's files there")
    for tier, whose in (("client", "client to base station"), ("cloud", "base station to cloud")):
        add(f"--{tier}-link", type=_link, metavar="MBPS,MS", help=f"{whose}, Mbit/s and ms, for simulated time")
    add("--seconds-per-image", type=float, metavar="S", help="a client's computing time (what is measured)")
    add("--links", type=Path, metavar="FILE", help="CSV of clients and base stations whose links and speeds differ")


def _labels(text: str) -> tuple[str, ...]:
    """As a line of CSV, so that a label in quotes may hold commas."""
    try:
        (labels,) = csv.reader([text], skipinitialspace=True)
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no line of labels: {error}") from None
    return tuple(label.strip() for label in labels)


def _link(text: str) -> tuple[float, float]:
    try:
        bandwidth, latency = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not Mbit/s and ms, such as 10,5") from None
    return bandwidth, latency
