"""All contenders did the same work and learned as much; a comparison of other work would be none."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from analysis.benchmarks.training.trial import Trial
from analysis.benchmarks.training.workload import Workload

STANDARD_ERRORS = 3
"""So many of the difference of two accuracies, each measured on images drawn anew, may two of them be apart."""


class UnfairError(Exception):
    """Two contenders did not do the same work."""


def noise(accuracy: float, images: int) -> float:
    """How far apart the accuracies of two models that are equally good may be measured.

    Args:
        accuracy: about theirs, 0 … 1.
        images: number of test images.
    """
    return STANDARD_ERRORS * sqrt(2 * accuracy * (1 - accuracy) / images)


def check(trials: Sequence[Trial], workload: Workload, sizes: list[int], judged_on: int) -> None:
    """Check that all trials of a workload are of equal work.

    Args:
        trials: of one pass or several.
        workload: what they did.
        sizes: number of images of each client.
        judged_on: number of test images that `Trial.accuracy` is of.

    Raises:
        UnfairError: a trial made another number of steps, started from another model, trained on other images, or its
            accuracy is not that of the first within noise.
    """
    steps = workload.steps(sizes)
    trained = [trial for trial in trials if trial.accuracy is not None]
    for trial in trials:
        if set(trial.steps) != {steps}:
            raise UnfairError(f"{trial.contender} made {trial.steps} steps in its rounds, not {steps} in each")
    for what in ("initial", "split"):
        if len(found := {getattr(trial, what): trial.contender for trial in trained}) > 1:
            raise UnfairError(f"{' and '.join(found.values())} do not have the same {what}")
    for trial in trained[1:]:
        first, own = trained[0].accuracy, trial.accuracy
        assert first is not None and own is not None
        if abs(own - first) > (limit := noise(first, judged_on)):
            raise UnfairError(
                f"{trial.contender} reaches an accuracy of {own:.4f}, {trained[0].contender} {first:.4f}: "
                f"more than {limit:.4f} apart"
            )
