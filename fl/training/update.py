"""What a base station returns for a global round, and its bytes as an artefact."""

from __future__ import annotations

from dataclasses import dataclass

from fl.training.errors import ModelError
from fl.training.model.artefact import load_metadata, load_model, save_model, whole_number
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class Update:
    """What a base station returns for one global round.

    Attributes:
        model: what `state` are the parameters of.
        station: index of the base station.
        global_round: the global round, 0 … rounds − 1.
        state: its local model after κ2 edge aggregations.
        samples: number of training samples of its clients that took part, its weight in the global average.
    """

    model: ModelSpec
    station: int
    global_round: int
    state: State
    samples: int


def save_update(update: Update) -> bytes:
    """An update as an artefact; its SHA-256 is what the base station records on chain."""
    fields = {"station": update.station, "global_round": update.global_round, "samples": update.samples}
    return save_model(update.model, update.state, **fields)


def load_update(data: bytes, expected: ModelSpec | None = None, global_round: int | None = None) -> Update:
    """An update saved by `save_update`; anybody may have made the artefact.

    Args:
        data: the artefact.
        expected: the model that it must hold (see `load_model`).
        global_round: that it must be of; None: any.

    Raises:
        ModelError: `data` is not one, not of the expected model or global round, a parameter is no number or too large,
            or it counts no samples, or 2^31 and more.
    """
    spec, state = load_model(data, expected)
    metadata = load_metadata(data)
    try:
        station, found, samples = (whole_number(metadata[name]) for name in ("station", "global_round", "samples"))
    except (KeyError, ValueError) as error:
        raise ModelError(f"the artefact is a model but not a base station's update: {error}") from error
    if samples == 0:
        raise ModelError("the update is of no samples")
    if global_round is not None and found != global_round:
        raise ModelError(f"the update is of global round {found}, not {global_round}")
    return Update(spec, station, found, state, samples)
