"""Who misbehaves, and how: each wraps a member's `next_step`, and changes what it would do."""

from collections.abc import Callable
from typing import TypeAlias

from fl.members.facts import Facts
from fl.members.steps import Accept, Attend, Report, Reveal, Step, Train, Wait

Deviation: TypeAlias = Callable[[Step, Facts], Step]
"""What a member does in place of an honest one's step."""


def honest(step: Step, facts: Facts) -> Step:
    """Does what it should."""
    return step


def silent(step: Step, facts: Facts) -> Step:
    """Never reveals its bids."""
    return Wait(facts.deadlines.reveal, "it withholds its bids") if isinstance(step, Reveal) else step


def leaving_after(global_rounds: int) -> Deviation:
    """Records so many global rounds and no more."""

    def leave(step: Step, facts: Facts) -> Step:
        number = 0 if isinstance(step, Accept) else step.global_round if isinstance(step, Train | Attend) else -1
        return Wait(facts.deadlines.train, "it has left") if number >= global_rounds else step

    return leave


def reporting(another: Callable[[Facts], bytes]) -> Deviation:
    """Reports another model than the trained one.

    Args:
        another: puts one into the store; its digest.
    """
    return lambda step, facts: Report(another(facts)) if isinstance(step, Report) else step
