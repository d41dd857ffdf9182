"""Who takes part: the rows of the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch

from fl.training.errors import TrainingError
from fl.training.model.runtime import check_precision

PLAIN, OURS, BF16, FLOWER, FLOOR = "plain", "ours", "ours-bf16", "flower", "floor"
BOUND = "plain-processes"
TF32 = "ours-tf32"
THOUSAND = "ours-1000x1"


@dataclass(frozen=True)
class Contender:
    """A row.

    Attributes:
        name: in `CONTENDERS`.
        title: for people.
        module: in `analysis.benchmarks.training.contenders`.
        library: that it needs, which the environment of `peers` has; empty: none.
        options: for its module, by device.
        busy: whether a process keeps one core busy meanwhile.
    """

    name: str
    title: str
    module: str
    library: str = ""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    busy: bool = False


def _everywhere(**options: Any) -> Mapping[str, Mapping[str, Any]]:
    return dict.fromkeys(("cpu", "cuda"), options)


def _by_name(*contenders: Contender) -> Mapping[str, Contender]:
    return {contender.name: contender for contender in contenders}


CONTENDERS = _by_name(
    Contender(OURS, "fl.training", "ours"),
    Contender(BF16, "fl.training, bf16", "ours", options=_everywhere(precision="bfloat16")),
    Contender(TF32, "fl.training, TF32", "ours", options=_everywhere(precision="tf32")),
    Contender(
        THOUSAND,
        "fl.training, 1,000 base stations × 1 client",
        "ours",
        options=_everywhere(stations=1_000, clients=1),
    ),
    Contender(PLAIN, "plain PyTorch loop", "plain"),
    Contender(
        BOUND,
        "plain PyTorch loop, several processes",
        "plain_processes",
        options={"cpu": {"processes": 2}, "cuda": {"processes": 4}},
    ),
    Contender(
        FLOWER,
        "Flower, its defaults",
        "flower",
        library="flwr",
        # by default a client gets no GPU; one is what Flower's guides give it
        options={"cuda": {"resources": {"num_cpus": 2, "num_gpus": 1.0}}},
    ),
    Contender(
        "flower-tuned",
        "Flower, tuned: actors of one core",
        "flower",
        library="flwr",
        options={
            "cpu": {"resources": {"num_cpus": 1, "num_gpus": 0.0}},
            "cuda": {"resources": {"num_cpus": 1, "num_gpus": 0.25}},
        },
    ),
    Contender("pfl", "pfl-research", "pfl_research", library="pfl"),
    Contender(FLOOR, "floor: forward, backward, step", "floor"),
    Contender("ours-busy", "fl.training, one core busy", "ours", busy=True),
    Contender("plain-busy", "plain PyTorch loop, one core busy", "plain", busy=True),
)
_USUAL = tuple(name for name in CONTENDERS if name not in (BOUND, THOUSAND))
IDLE = tuple(name for name in _USUAL if not CONTENDERS[name].busy)
LINEUPS: Mapping[str, tuple[str, ...]] = {
    "10x1": _USUAL,
    "10x100": (OURS, THOUSAND, PLAIN),
    "resnet50": (OURS, TF32, BF16, PLAIN, FLOOR),
}
"""Who takes part in a workload, if it is not `IDLE`."""


def usual(workload: str, device: str) -> tuple[str, ...]:
    """Who takes part in a workload unless told otherwise: TF32 is of GPUs alone."""
    return tuple(name for name in LINEUPS.get(workload, IDLE) if name != TF32 or device == "cuda")


def unable(contender: Contender, device: str, installed: bool = False) -> str | None:
    """Why a contender cannot be measured on this machine; None if it can.

    Args:
        contender: who.
        device: "cpu" or "cuda".
        installed: whether it is taken only if this Python has it.
    """
    if installed and contender.library and find_spec(contender.library) is None:
        return f"{contender.library} is not installed"
    options, there = contender.options.get(device, {}), torch.device(device)
    try:
        check_precision(options.get("precision", "float32"), there)
    except TrainingError as error:
        return str(error)
    return None
