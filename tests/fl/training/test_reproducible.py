"""The same digests in another process, and on another machine.

What a CPU computes depends on the instructions that the libraries choose for it. The process here is held to those
that every x86-64 has: PyTorch's own loops and oneDNN to SSE, MKL to the branch that gives the same bits on every such
CPU, and all to one thread. A digest that differs then says that the computation changed.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fl.store.artefacts import digest_of
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.federation import build_federation
from fl.training.model.artefact import save_model
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import train

BASELINE = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
}

TORCH = "2.14.1"
PINNED = {
    "dense": "0xdf157cedc8e60dd618d99e04310c3e3ca9acb7d1ff29e43fc6f00dada974cd5d",
    "small-cnn": "0x5f1fe1ab99453ca2bc75231aa85921965303cade67df486bb9268b1a54a37653",
}
"""Digests of the last global model, with this version of PyTorch; `python -m tests.fl.training.test_reproducible`
under the settings of `BASELINE` prints them anew."""


def dense(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Of matrix products only."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, classes))


def counted(spec: ModelSpec) -> bytes:
    """An artefact whose parameters are the numbers from 0."""
    state = {name: torch.arange(math.prod(shape)).reshape(shape).float() for name, (shape, _) in spec.tensors().items()}
    return save_model(spec, state, global_round=2, station=1, n=9)


def digests() -> dict[str, str]:
    """Of two small runs that use most of the package, and of a model that nothing computes."""
    station = StationConfig(
        2, 2, proximal=0.01, augment=True, stragglers=0.3, client_dropout=0.1, rule=Rule("trimmed-mean", 1)
    )
    config = TrainingConfig(
        targets=("0", "1", "7"), train_images=96, stations=2, clients=4, alpha=1.0, rounds=2, seed=1, station=station,
        strategy="FedAvgM(momentum=0.2)", contribution="none",
    )  # fmt: skip
    spec = ModelSpec("small-cnn", (1, 8, 8), 3)
    found = {"counted": digest_of(counted(spec))}
    for name, model in (("dense", f"{__name__}:dense"), ("small-cnn", "small-cnn")):
        federation = build_federation(TrainingConfig(**{**vars(config), "model": model}))
        *_, last = train(federation)
        # by its shape alone: the path of a factory is not part of what is pinned
        found[name] = digest_of(save_model(spec, last.state))
    return found


def maker() -> str:
    """Of the CPU, as Linux names it."""
    info = Path("/proc/cpuinfo")
    found = (
        re.search(r"^vendor_id\s*: (\S+)", info.read_text(encoding="utf-8"), re.MULTILINE) if info.exists() else None
    )
    return found[1] if found else "unknown"


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, Any]:
    """What another process, held to the baseline, computes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fl.training.test_reproducible"],
        env={**os.environ, **BASELINE},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_save_model__in_another_process__has_the_same_digest(elsewhere: dict[str, Any]) -> None:
    """What safetensors would write in random order, several metadata entries, is not left to it."""
    assert elsewhere["counted"] == digest_of(counted(ModelSpec("small-cnn", (1, 8, 8), 3)))


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason=f"digests are pinned for the instructions of x86-64, this is {platform.machine()}",
)
@pytest.mark.parametrize("model", list(PINNED))
def test_train__held_to_the_baseline_of_x86__has_the_pinned_digests(elsewhere: dict[str, Any], model: str) -> None:
    if model == "small-cnn" and maker() != "AuthenticAMD":
        pytest.skip(f"oneDNN divides convolutions by the caches of the CPU: pinned on an AMD EPYC, this is {maker()}")
    version = torch.__version__.split("+")[0]
    assert version == TORCH, f"the digests are those of PyTorch {TORCH}: pin those of {version}, see PINNED"
    assert elsewhere[model] == PINNED[model]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digests()))
