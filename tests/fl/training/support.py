"""What several of these tests share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fl.training import cloud
from fl.training.crews.crew import Crew, InProcess
from fl.training.data.dataset import Samples
from fl.training.federation import Federation
from fl.training.model.parameters import State
from fl.training.station import Station


def equal(one: State, other: State) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def copy_state(module: nn.Module) -> State:
    """A copy of the module's tensors, which later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def with_station(federation: Federation, **changes: object) -> Federation:
    """The federation with other settings of its base stations."""
    return replace(
        federation,
        stations=tuple(replace(each, config=replace(each.config, **changes)) for each in federation.stations),
    )


def without_numbers(station: Station, clients: tuple[int, ...] | None = None) -> Station:
    """The base station where the images of these clients are not numbers, so their losses are not; None: of all."""
    return replace(
        station,
        clients=tuple(
            Samples(torch.full(data.inputs.shape, float("nan")), data.labels)
            if clients is None or number in clients
            else data
            for number, data in enumerate(station.clients)
        ),
    )


def train(federation: Federation, crew: Crew | None = None, **options: Any) -> Iterator[cloud.GlobalRound]:
    """The global rounds of the federation, by default played in this process."""
    return cloud.train(federation.config, federation.model, crew or InProcess(federation), **options)


def train_in(folder: Path, federation: Federation, **options: Any) -> list[dict[str, Any]]:
    """Train in a run's folder; the lines of its metrics file."""
    # Here, as a run's folder needs `fl.store` and the libraries that encrypt, which a borrowed GPU may not have.
    from fl.training.command.options import Options
    from fl.training.command.run import run

    return [dict(record) for record in run(federation, Options(federation.config, folder, **options))]


def lines(folder: Path) -> list[dict[str, Any]]:
    """The metrics file as it is."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def undisturbed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What does not depend on how long it took."""
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]
