"""What training refuses, each with a text that says what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fl.faults import Fault, line_of
from fl.store.errors import Refused, Unreachable


class TrainingError(Fault, ValueError):
    """Base class of everything this package raises on bad input or a failed run."""


class DataError(TrainingError):
    """A data set, a label or a split that cannot be had."""


class ModelError(TrainingError):
    """An unknown model, or parameters that are not this model's."""


class DivergedError(TrainingError):
    """A loss or a parameter that is not a finite number."""


class TooFewError(TrainingError):
    """Fewer models came back than can be combined: too many clients or base stations are missing."""


class WorkerError(TrainingError):
    """A worker process that ended in the middle of its work."""


class CheckpointError(TrainingError):
    """A run folder that holds another run, is in use, or cannot be read."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is torch's of a GPU without memory, a RuntimeError; told by its name, so as not to import torch."""
    return type(error).__name__ == "OutOfMemoryError"


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """What the system refuses while a run's files are read or written (a full disk, no permission) as one line.

    Raises:
        CheckpointError: the system refused it.
    """
    try:
        yield
    except (OSError, Refused, Unreachable) as error:
        said = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise CheckpointError(f"{path} cannot be used: {line_of(said)}") from error
