"""What training refuses, each with a text that says what to change."""

from __future__ import annotations

from fl.faults import Fault


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
