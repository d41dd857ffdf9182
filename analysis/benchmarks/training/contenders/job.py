"""What a contender is told, and what it tells while it runs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from analysis.benchmarks.training.inputs import split_digest, state_digest
from fl.training.model.artefact import save_state
from fl.training.model.parameters import State


@dataclass(frozen=True)
class Job:
    """One run of one contender.

    Attributes:
        module: in `analysis.benchmarks.training.contenders`.
        data: the file of `inputs`.
        rounds: global rounds.
        device: "cpu" or "cuda".
        told: file for what it tells.
        state: file for the global model after the last round.
        options: of this variant of the contender.
        busy: whether a process is to keep one core busy meanwhile.
    """

    module: str
    data: Path
    rounds: int
    device: str
    told: Path
    state: Path
    options: dict[str, Any]
    busy: bool = False

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, **{name: Path(values[name]) for name in ("data", "told", "state")}})

    def tell(self, what: str, **values: Any) -> None:
        """Append a line to `told`, with the time."""
        with self.told.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"what": what, "at": time.time(), **values}) + "\n")

    def begins(self, initial: State) -> None:
        """Tell which model it starts from."""
        self.tell("begins", initial=state_digest(initial), threads=torch.get_num_threads(), torch=torch.__version__)

    def round_ends(self, steps: int, accuracy: float) -> None:
        """Tell that a global round, its judgement included, is over."""
        self.tell("round", steps=steps, accuracy=accuracy)

    def ends(self, state: State, clients: Sequence[int]) -> None:
        """Leave the global model and tell the digest of the images trained on (`images_digest` of each client)."""
        self.state.write_bytes(save_state(state))
        self.tell("ends", split=split_digest(clients))
