"""The training that a proposal's text names, as the engine's settings, and back; without PyTorch."""

from collections.abc import Mapping
from typing import Any

from fl.store.errors import ViewError, one_line
from fl.store.texts import StationsView, decimal_of
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.errors import TrainingError
from fl.training.offered import check_offered

_COUNTS = ("local_epochs", "edge_aggregations", "batch_size")
_NUMBERS = ("learning_rate", "momentum", "weight_decay", "proximal")
_AS_THEY_ARE = ("optimizer", "loss", "augment", "precision")
_OR_NONE = ("schedule", "gradient_clip", "client_bits")

NAMED = (*_COUNTS, *_NUMBERS, *_AS_THEY_ARE, *_OR_NONE)
"""Settings of a base station that a text can name, beside its rule; each under its own name."""


def settings_of(text: StationsView, targets: tuple[str, ...] | None = None, stations: int = 1) -> TrainingConfig:
    """The training that a text for base stations asks for.

    All that it names is chosen from what is offered (`fl.training.offered`): nobody imports code that another named.

    Args:
        text: anybody's.
        targets: the labels that the model tells apart, as the winner's order has them; None: they are not known yet.
        stations: how many take part.

    Raises:
        ViewError: it asks for something that the engine does not have, or does not take from others.
    """
    given: dict[str, Any] = {name: getattr(text, name) for name in (*_COUNTS, *_AS_THEY_ARE)}
    given |= {name: float(getattr(text, name)) for name in _NUMBERS}
    try:
        station = StationConfig(
            **given,
            schedule=text.schedule or None,
            gradient_clip=float(text.gradient_clip) or None,
            client_bits=text.client_bits or None,
            rule=Rule(text.edge_rule, text.edge_tolerate),
        )
        settings = TrainingConfig(
            dataset=text.dataset,
            targets=targets,
            model=text.model,
            stations=stations,
            rounds=text.global_rounds,
            seed=text.seed,
            station=station,
            rule=Rule(text.rule, text.tolerate),
            strategy=text.strategy,
        )
        check_offered(settings)
    except TrainingError as error:
        raise ViewError(f"its training cannot be followed: {one_line(error)}") from error
    return settings


def named_by(settings: TrainingConfig, station: StationConfig) -> Mapping[str, Any]:
    """The fields of a text for base stations that name a training.

    Args:
        settings: of the whole of it.
        station: of a base station; what of it is not in `NAMED` is each base station's own matter.

    Raises:
        ViewError: a number has no form that texts have.
    """
    return {
        "global_rounds": settings.rounds,
        "seed": settings.seed,
        "rule": settings.rule.name,
        "tolerate": settings.rule.tolerate,
        "strategy": settings.strategy,
        "edge_rule": station.rule.name,
        "edge_tolerate": station.rule.tolerate,
        **{name: getattr(station, name) for name in (*_COUNTS, *_AS_THEY_ARE)},
        **{name: decimal_of(getattr(station, name)) for name in _NUMBERS},
        "schedule": station.schedule or "",
        "gradient_clip": decimal_of(station.gradient_clip or 0.0),
        "client_bits": station.client_bits or 0,
    }
