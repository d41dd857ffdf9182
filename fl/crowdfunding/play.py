"""Plays a round: asks each member for its next step and lets it do that; when all wait, moves the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ape.api import AccountAPI

from fl.crowdfunding import deviations
from fl.crowdfunding.clock import Clock
from fl.crowdfunding.deviations import Deviation
from fl.crowdfunding.settings import CREATION_SECONDS, Misbehaviour, RoundSettings
from fl.crowdfunding.simulated import Stage, listing, members_of, untrained
from fl.crowdfunding.story import Story
from fl.crowdfunding.valuations import claimant_of, terms_of
from fl.crowdfunding.watcher import Watcher
from fl.faults import Fault
from fl.market.client import Market
from fl.market.terms import Role, claimant_ordinal
from fl.members.acts import Member, NotYet
from fl.members.facts import Chronicle, Facts
from fl.members.owner_acts import Owner
from fl.members.recording import document
from fl.members.station import last_call
from fl.members.station_acts import BaseStation
from fl.members.steps import Accept, Done, Draw, Join, Stuck, Train, Wait
from fl.record.document import RoundDocument
from fl.record.history import RoundRecord

DRAW_SECONDS = 30
"""Left of the draw's window when no more blocks are let pass."""


class Standstill(Fault, RuntimeError):
    """A round in which every member waits for another, for good."""


@dataclass(frozen=True)
class Played:
    """A finished round.

    Attributes:
        facts: the chain at its end, as the first owner sees it.
        document: the round as `round.json`.
        escrow_left: wei that the round still holds.
    """

    owners: tuple[Owner, ...]
    base_stations: tuple[BaseStation, ...]
    facts: Facts
    document: RoundDocument
    escrow_left: int

    @property
    def record(self) -> RoundRecord:
        """What the chain's logs say."""
        return self.facts.record


class Play:
    """One round in the making.

    Args:
        settings: the round's.
        stage: of these settings.
        market: a deployment of HCFL.
        accounts: the creator, then an account for each owner and each base station.
        clock: the chain's.
        folder: where the members' store and journals are kept.
        watcher: looks on.

    Attributes:
        owners: the members that propose, bid, judge and pay.
        stations: the members that train.
    """

    def __init__(
        self,
        settings: RoundSettings,
        stage: Stage,
        market: Market,
        accounts: Sequence[AccountAPI],
        clock: Clock,
        folder: Path,
        watcher: Watcher,
    ):
        self._settings, self._market, self._clock, self._watcher = settings, market, clock, watcher
        creator, *accounts = accounts
        listed, journals = listing(stage, market, creator, accounts, folder)
        terms = terms_of(settings, stage.labels, clock.now + CREATION_SECONDS)
        round_id = market.create_round(creator, terms, listed.root)
        self._chronicle = Chronicle(market, round_id)
        self._story = Story(watcher, market, terms, {each.entry.account: each.name for each in listed.members})
        self.owners, self.stations = members_of(stage, market, round_id, listed, accounts, journals, folder, watcher)
        self._before: dict[str, int] = {}

    def run(self) -> Played:
        """Play it to its end.

        Raises:
            MarketError: the contract refused a call.
            TrainingError: training failed.
            Standstill: it does not go on.
        """
        members: Sequence[Member] = (*self.owners, *self.stations)
        deviating = self._deviations()
        while waiting := self._pass(members, deviating):
            until = [wait.until for wait in waiting if wait.until is not None]
            if not until:
                raise Standstill("; ".join(sorted({wait.why for wait in waiting})))
            self._clock.wait_until(min(until))
        return self._finish()

    def _pass(self, members: Sequence[Member], deviating: Mapping[str, Deviation]) -> list[Wait]:
        """Let each member do one step, until none has any; what those wait for that are not done."""
        while True:
            acted, waiting = False, []
            for member in members:
                facts = self._chronicle.facts(member.address)
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
                    with self._story.telling(step, facts):
                        member.do(step, facts)
                except NotYet as error:
                    trains = isinstance(step, Accept | Train)
                    until = last_call(facts, member.conduct) if trains else None
                    waiting.append(Wait(until, str(error)))
                    continue
                acted = True
                if isinstance(step, Join):
                    self._before[member.address] = self._market.balance_of(member.address)
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
        last = self.stations[-1].address
        match self._settings.misbehaviour:
            case Misbehaviour.NON_REVEALER:
                return {self.owners[-1].address: deviations.silent}
            case Misbehaviour.ABSENT_STATION:
                return {last: deviations.leaving_after(0)}
            case Misbehaviour.PARTIAL_STATION:
                return {last: deviations.leaving_after(self._settings.rounds // 2)}
            case Misbehaviour.BAD_WINNER:
                return {owner.address: deviations.reporting(untrained(owner)) for owner in self.owners}
            case _:
                return {}

    def _finish(self) -> Played:
        facts = self._chronicle.facts(self.owners[0].address)
        owners = {owner.address: owner for owner in self.owners}
        texts = [owners[model.proposer].texts() for model in facts.record.models]
        judge = owners.get(facts.record.winner or "", self.owners[0])
        made = document(judge, facts, self._market, self._before, [*texts])
        left = self._market.round_state(facts.round_id).escrow
        return Played(tuple(self.owners), tuple(self.stations), facts, made, left)
