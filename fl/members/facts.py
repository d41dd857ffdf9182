"""The chain at one block as one account sees it: all that a member decides by, beside its journal and its plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fl.market.client import Market
from fl.market.events import Event, in_order
from fl.market.refusals import Again
from fl.market.terms import Deadlines, Role, RoundTerms, Status
from fl.record.history import MemberRecord, RoundRecord, rebuild


@dataclass(frozen=True)
class Facts:
    """What the chain says about a round, to an account.

    Attributes:
        block: number of the newest block.
        now: its Unix time, which every deadline is held against; no other clock is looked at.
        final: Unix time of the newest block that counts as final: what happened up to then is not undone.
        record: of the round's logs up to the newest block.
        free_balance: wei of the account that no round holds.
        lot: wei that have come in for the claimant and are not yet claimed.
    """

    chain_id: int
    contract: str
    account: str
    now: int
    final: int
    record: RoundRecord
    free_balance: int = 0
    lot: int = 0
    block: int = 0

    @property
    def round_id(self) -> int:
        """The round's number."""
        return self.record.round_id

    @property
    def terms(self) -> RoundTerms:
        """What the round's creator fixed."""
        return self.record.terms

    @property
    def deadlines(self) -> Deadlines:
        """When its phases close."""
        return self.terms.deadlines

    @cached_property
    def status(self) -> Status:
        """What has become of the round by now."""
        return self.record.status_at(self.now)

    @property
    def me(self) -> MemberRecord | None:
        """The account's part in the round; None: it has not joined."""
        return self.record.members.get(self.account)

    @property
    def is_claimant(self) -> bool:
        """Whether the account was drawn."""
        return self.record.claimant == self.account

    @property
    def is_winner(self) -> bool:
        """Whether its model was selected."""
        return self.record.winner == self.account

    @cached_property
    def recorders(self) -> tuple[MemberRecord, ...]:
        """The base stations that train: those that revealed, and the claimant, in the order of their commits."""
        stations = self.record.committed(Role.BASE_STATION)
        training = (each for each in stations if each.words is not None or each.account == self.record.claimant)
        return tuple(sorted(training, key=lambda each: each.ordinal))

    @cached_property
    def committed_owners(self) -> tuple[MemberRecord, ...]:
        """The owners that have bid."""
        return tuple(self.record.committed(Role.OWNER))

    @property
    def is_elector(self) -> bool:
        """Whether the account votes: the committed owners but the winner do."""
        return not self.is_winner and any(each.account == self.account for each in self.committed_owners)

    @property
    def has_voted(self) -> bool:
        """Whether the account's vote is cast."""
        return any(vote.account == self.account for vote in self.record.votes)

    @cached_property
    def all_revealed(self) -> bool:
        """Whether all but the claimant have revealed, which ends the phase."""
        bidders = [*self.committed_owners, *self.record.committed(Role.BASE_STATION)]
        return all(each.words is not None or each.account == self.record.claimant for each in bidders)

    @property
    def global_rounds(self) -> int:
        """How many the selected proposal names; 0 before a selection."""
        selected = self.record.selected
        return 0 if selected is None else self.record.models[selected].global_rounds

    @cached_property
    def all_recorded(self) -> bool:
        """Whether all that can have recorded every global round, which allows an early report."""
        return all(len(each.updates) == self.global_rounds for each in self.recorders)

    @cached_property
    def settlement_open(self) -> bool:
        """Whether committed members can be settled."""
        if self.status is Status.REPORTED:
            return self.now >= self.deadlines.vote or len(self.record.votes) == max(0, len(self.committed_owners) - 1)
        return self.status in (Status.CANCELLED, Status.NOTHING_TRAINED, Status.ABORTED)

    @cached_property
    def unsettled(self) -> tuple[MemberRecord, ...]:
        """Members that are not settled yet and can be."""
        return tuple(
            each for each in self.record.members.values() if each.settled is None and self._can_be_settled(each)
        )

    def _can_be_settled(self, member: MemberRecord) -> bool:
        return self.settlement_open or (not member.committed and self.now >= self.deadlines.commit)


class Chronicle:
    """Reads a round's facts, and of its logs only what is new since the last look.

    Where a block that it had seen is gone from the chain, after a reorganisation, it reads all of them again.

    Args:
        market: the deployment.
        round_id: the round.
        confirmations: how many blocks must stand on one that counts as final; 0: the newest counts. None: the node
            says which it is (its block `safe`).
    """

    def __init__(self, market: Market, round_id: int, confirmations: int | None = 0):
        self._market = market
        self._round_id = round_id
        self._confirmations = confirmations
        self._events: list[Event] = []
        self._seen: tuple[int, bytes] | None = None
        self._record: RoundRecord | None = None

    def facts(self, account: str) -> Facts:
        """What the chain says now.

        Raises:
            MarketError: the node does not answer, or there is no such round.
        """
        market = self._market
        head = market.block("latest")
        self._read_until(head.number, head.hash)
        if self._record is None:
            self._record = self._rebuilt()
        at = market.at_block(head.number)
        claimant = self._record.claimant == account
        return Facts(
            chain_id=market.chain_id,
            contract=market.address,
            account=account,
            now=head.time,
            final=self._final_time(head.number, head.time),
            record=self._record,
            free_balance=at.free_balance(account),
            lot=at.lot(self._round_id) if claimant else 0,
            block=head.number,
        )

    @property
    def events(self) -> Sequence[Event]:
        """The logs read so far, in the order of the chain."""
        return self._events

    def _read_until(self, number: int, digest: bytes) -> None:
        first = None
        if self._seen is not None:
            if self._seen == (number, digest):
                return
            seen, known = self._seen
            if seen <= number and self._market.block(seen).hash == known:
                first = seen + 1
        if first is None:
            self._events, self._record = [], None
        new = self._market.events(self._round_id, first, number, self._events)
        if self._market.block(number).hash != digest:
            raise Again(f"round {self._round_id}: the chain has changed while it was read")
        if new:
            self._events, self._record = in_order([*self._events, *new]), None
        self._seen = (number, digest)

    def _rebuilt(self) -> RoundRecord:
        try:
            return rebuild(self._events)
        except (KeyError, ValueError) as error:
            self._seen = None
            raise Again(f"round {self._round_id}: the node does not give all of its logs") from error

    def _final_time(self, number: int, time: int) -> int:
        if self._confirmations is None:
            return self._market.block("safe").time
        if self._confirmations == 0:
            return time
        return self._market.block(max(0, number - self._confirmations)).time
