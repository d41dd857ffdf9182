"""What `ape run status` does: reads a round, once or at each new block, from a node that may go away and come back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_utils import is_address, to_checksum_address

from fl.market.client import Market
from fl.market.connection import account_named
from fl.market.membership_file import MembershipList
from fl.market.refusals import MarketError, Never
from fl.members.access import Access
from fl.members.configuration import OwnerPlan
from fl.members.facts import Chronicle, Facts
from fl.members.journal import Journal, JournalError
from fl.members.status import RoundStatus, Who
from fl.record.statement import Statement, statement_of
from fl.store.signed import Domain

NOBODY = "0x" + "00" * 20
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Look:
    """What there is to see at a moment.

    Attributes:
        status: the newest that could be read.
        away: why the node did not answer just now; "" if it did.
    """

    status: RoundStatus
    away: str = ""


@contextmanager
def opened(access: Access, round_id: int) -> Iterator["Watcher"]:
    """A round to look at.

    Raises:
        Fault: node, contract, account or list cannot be used.
    """
    access.check()
    account = _account(access)
    with access.market() as market:
        yield Watcher(access, market, round_id, account)


def statement(access: Access) -> Statement:
    """Everything that an account has done with the contract; nothing is signed, so any account's.

    Raises:
        MarketError: node, contract or account cannot be used.
        StatementError: it does not add up to what the chain says.
    """
    access.check()
    if (account := _account(access)) is None:
        raise MarketError("no account is named: --account with an alias or an address, or --config member.yaml")
    with access.market() as market:
        return statement_of(market, account)


class Watcher:
    """Looks at one round.

    Args:
        access: for the membership list, the plan and the journal.
        market: the deployment.
        round_id: the round's number.
        account: whose position is shown; None: nobody's.
    """

    def __init__(self, access: Access, market: Market, round_id: int, account: str | None):
        self._access = access
        self._market = market
        self._chronicle = Chronicle(market, round_id)
        self._account = account
        newest = market.round_count()
        if not 1 <= round_id <= newest:
            there = f"1 … {newest}" if newest else "none yet"
            raise MarketError(f"there is no round {round_id} at {market.address}: {there}")
        self._listed = access.members(Domain(market.chain_id, market.address))

    def look(self) -> RoundStatus:
        """The round at the newest block.

        Raises:
            MarketError: the node does not answer.
        """
        facts = self._chronicle.facts(self._account or NOBODY)
        listed = self._listed
        if listed is not None and listed.root != facts.record.membership_root:
            if self._access.membership is not None:
                raise Never(f"{self._access.membership} is not the list of round {facts.round_id}: its root is another")
            listed = None  # member.yaml names the list of another round
        return RoundStatus(facts, listed, self._who(facts, listed))

    def looks(self, poll: float = POLL_SECONDS) -> Iterator[Look]:
        """The round at each new block, until nothing is left to do; a node that goes away is waited for.

        Args:
            poll: seconds between two questions for a new block.

        Raises:
            Never: the first look fails, or the contract refuses.
        """
        status = self.look()
        yield Look(status)
        away = ""
        while not status.is_over:
            time.sleep(poll)
            try:
                block = self._market.block("latest").number
                if block != status.facts.block or away:
                    status, away = self.look(), ""
                    yield Look(status)
            except Never:
                raise
            except MarketError as error:
                if str(error) != away:
                    away = str(error)
                    yield Look(status, away)

    def _who(self, facts: Facts, listed: MembershipList | None) -> Who | None:
        if self._account is None:
            return None
        found = None if listed is None else listed.find(self._account)
        role = facts.me.role if facts.me is not None else found.entry.role if found is not None else None
        plan = None if self._access.configuration is None else self._access.configuration.plan
        return Who(
            account=self._account,
            role=role,
            points=1 if found is None else found.entry.points,
            proposes=isinstance(plan, OwnerPlan) and plan.propose is not None,
            notes=self._notes(facts),
        )

    def _notes(self, facts: Facts) -> dict[str, Any] | None:
        """What the member's journal says, which may be in use by the member itself; None: there is none."""
        configuration = self._access.configuration
        if configuration is None or not configuration.journal.exists():
            return None
        try:
            with Journal(configuration.journal, facts.account, facts.chain_id, facts.contract, read_only=True) as kept:
                return dict(kept.notes(facts.round_id))
        except JournalError:  # another account's, as where --account names one beside member.yaml
            return None


def _account(access: Access) -> str | None:
    """Whose position is shown: an address will do, for nothing is signed."""
    if access.alias is None:
        return None
    if is_address(access.alias):
        return str(to_checksum_address(access.alias))
    return str(account_named(access.alias).address)
