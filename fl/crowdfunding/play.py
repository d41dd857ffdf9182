"""Plays a round: asks each member for its next step and lets it do that; when all wait, moves the clock."""

from collections.abc import Mapping

from fl.crowdfunding import deviations
from fl.crowdfunding.cast import Cast, untrained
from fl.crowdfunding.clock import Clock
from fl.crowdfunding.deviations import Deviation
from fl.crowdfunding.settings import Misbehaviour, RoundSettings
from fl.crowdfunding.story import Story
from fl.crowdfunding.valuations import claimant_of
from fl.crowdfunding.watcher import Watcher
from fl.faults import Fault
from fl.market.terms import Role, claimant_ordinal
from fl.members.acts import NotYet
from fl.members.facts import Facts
from fl.members.station import last_call
from fl.members.steps import Accept, Done, Draw, Stuck, Train, Wait

DRAW_SECONDS = 30
"""Left of the draw's window when no more blocks are let pass."""


class Standstill(Fault, RuntimeError):
    """A round in which every member waits for another, for good."""


class Play:
    """One round in the making.

    Args:
        settings: the round's: who misbehaves, and the seed of the draw.
        cast: its members.
        clock: the chain's.
        watcher: looks on.
    """

    def __init__(self, settings: RoundSettings, cast: Cast, clock: Clock, watcher: Watcher):
        self._settings, self._cast, self._clock = settings, cast, clock
        self._story = Story(watcher, cast.chronicle, {member.address: member.name for member in cast.members})

    def run(self) -> None:
        """Play it to its end.

        Raises:
            MarketError: the contract refused a call.
            TrainingError: training failed.
            Standstill: it does not go on.
        """
        deviating = self._deviations()
        while waiting := self._pass(deviating):
            until = [wait.until for wait in waiting if wait.until is not None]
            if not until:
                raise Standstill("; ".join(sorted({wait.why for wait in waiting})))
            self._clock.wait_until(min(until))

    def _pass(self, deviating: Mapping[str, Deviation]) -> list[Wait]:
        """Let each member do one step, until none has any; what those wait for that are not done."""
        while True:
            acted, waiting = False, []
            for member in self._cast.members:
                facts = self._cast.chronicle.facts(member.address)
                step = deviating.get(member.address, deviations.honest)(member.next_step(facts), facts)
                match step:
                    case Done():
                        continue
                    case Wait():
                        waiting.append(step)
                        continue
                    case Stuck(why):
                        raise Standstill(f"{member.name}: {why}")
                    case Draw():
                        self._await_draw(facts)
                try:
                    with self._story.telling(step):
                        member.do(step, facts)
                except NotYet as error:
                    trains = isinstance(step, Accept | Train)
                    until = last_call(facts, member.conduct) if trains else None
                    waiting.append(Wait(until, str(error)))
                    continue
                acted = True
            if not acted:
                return waiting

    def _await_draw(self, facts: Facts) -> None:
        """Where blocks can be had for the asking, let them pass until the next one draws the seed's claimant."""
        stations = facts.record.committed(Role.BASE_STATION)
        wanted, last = claimant_of(self._settings) + 1, facts.deadlines.draw - DRAW_SECONDS
        while self._clock.movable and self._clock.now < last:
            if claimant_ordinal(self._clock.randomness_ahead(), facts.round_id, len(stations)) == wanted:
                break
            self._clock.mine()

    def _deviations(self) -> dict[str, Deviation]:
        """What one member does instead, by account."""
        last = self._cast.stations[-1].address
        match self._settings.misbehaviour:
            case Misbehaviour.NON_REVEALER:
                return {self._cast.owners[-1].address: deviations.silent}
            case Misbehaviour.ABSENT_STATION:
                return {last: deviations.leaving_after(0)}
            case Misbehaviour.PARTIAL_STATION:
                return {last: deviations.leaving_after(self._settings.rounds // 2)}
            case Misbehaviour.BAD_WINNER:
                return {owner.address: deviations.reporting(untrained(owner)) for owner in self._cast.owners}
            case _:
                return {}
