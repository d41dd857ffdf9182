"""What `ape run audit` does with a member's keys: works a round out again as far as these reach."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eth_utils import is_address, to_checksum_address

from fl.market.refusals import MarketError
from fl.market.terms import Role
from fl.members.access import Access
from fl.members.acts import NotYet
from fl.members.assembly import Desk, desk, station_work
from fl.members.audit import Finding, TrainingAudit, audit_training, differing_points
from fl.members.facts import Facts
from fl.members.owner_acts import UPHOLD_WITHIN, Owner
from fl.members.replay import Replayed, replay
from fl.members.work import Judged, WorkError
from fl.store.artefacts import from_chain
from fl.store.errors import StoreError

OWN = "own"
"""Instead of an account: the member's."""


@dataclass(frozen=True)
class Audit:
    """What an owner finds of a round.

    Attributes:
        training: of the winner's order, global models and result.
        listed: the contributions as the winner lists them, points by account.
        measured: the same by the owner's test data; None: it could not measure them, `unmeasured` says why.
        claimed_bps: accuracy of the report, 1/10,000; None: nothing is reported.
        judged: the reported model on the owner's test data; None: it could not be judged.
        votes: accuracy that each elector measured, 1/10,000, by account.
        findings: all that does not follow.
    """

    training: TrainingAudit
    listed: Mapping[str, int]
    measured: Mapping[str, int] | None
    unmeasured: str
    claimed_bps: int | None
    judged: Judged | None
    votes: Mapping[str, int]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "findings": [asdict(each) for each in self.findings],
            "global_rounds": [
                {
                    "global_round": each.number,
                    "included": None if each.said is None else each.said.included,
                    "left_out": None if each.said is None else dict(each.said.left_out),
                    "follows": not each.findings,
                }
                for each in self.training.rounds
            ],
            "contributions": {
                "listed": dict(self.listed),
                "measured": None if self.measured is None else dict(self.measured),
            },
            "accuracy": {
                "claimed_bps": self.claimed_bps,
                "measured_bps": None if self.judged is None else self.judged.accuracy_bps,
                "votes_bps": dict(self.votes),
            },
        }

    def lines(self) -> list[str]:
        """For a person."""
        lines = [line for each in self.training.rounds for line in _told(each.number, each.said, not each.findings)]
        if self.measured is None:
            lines.append(f"contributions: not measured: {self.unmeasured}")
        else:
            for account in sorted({*self.listed, *self.measured}):
                points = self.listed.get(account, 0), self.measured.get(account, 0)
                lines.append("contributions: {}: {:,} points listed, {:,} measured".format(account, *points))
        if self.claimed_bps is not None:
            own = "not judged" if self.judged is None else f"{self.judged.accuracy:.1%} on the own test data"
            votes = ", ".join(f"{bps / 100:.1f} %" for bps in self.votes.values()) or "none"
            lines.append(f"accuracy: claimed {self.claimed_bps / 100:.1f} %, {own}; votes: {votes}")
        return lines


def _told(number: int, said: Any, follows: bool) -> list[str]:
    where = f"global round {number + 1}"
    if said is None:
        return [f"{where}: the winner left no word of what its model was made of; {_followed(follows)}"]
    head = f"{where}: of {len(said.included)} updates, {len(said.left_out)} left out; {_followed(follows)}"
    return [head, *(f"  without {account}: {reason}" for account, reason in said.left_out.items())]


def _followed(follows: bool) -> str:
    return "the model follows, bit for bit" if follows else "it does not follow"


def audit(owner: Owner, facts: Facts) -> Audit:
    """Work out again what was trained, contributed and reached.

    Raises:
        Unreachable: the store did not answer.
    """
    training, record = audit_training(owner, facts), facts.record
    findings = list(training.findings)
    listed = {account: each.listed for account, each in record.members.items() if each.listed is not None}
    measured, unmeasured, judged = None, "", None
    if record.result is not None and not training.order:
        try:
            measured = owner.measured_points(facts)
            findings += differing_points(measured, facts, UPHOLD_WITHIN)
        except (StoreError, WorkError, NotYet) as error:
            unmeasured = str(error)
        try:
            judged = owner.judge(owner.order(facts), from_chain(record.result[0]), facts)
        except (StoreError, WorkError, NotYet) as error:
            findings.append(Finding(f"the reported model cannot be judged: {error}", record.winner or "", "result"))
    claimed = None if record.result is None else record.result[1]
    if judged is not None and claimed is not None and judged.accuracy_bps < claimed - facts.terms.tolerance_bps:
        reached = f"{judged.accuracy_bps / 100:.1f} % are measured, and {claimed / 100:.1f} % are claimed"
        findings.append(Finding(reached, record.winner or "", "accuracy"))
    votes = {vote.account: vote.measured_accuracy_bps for vote in record.votes}
    return Audit(training, listed, measured, unmeasured, claimed, judged, votes, tuple(findings))


def audit_as_owner(access: Access, round_id: int) -> Audit:
    """The audit of the owner that member.yaml describes.

    Raises:
        MarketError: it is no owner, or the round cannot be read.
        StoreError: the store does not answer.
    """
    with desk(access) as ready:
        member = ready.member(round_id)
        if not isinstance(member, Owner):
            raise MarketError(
                "base stations can open no update: an owner audits the whole, a base station itself with --station own"
            )
        return audit(member, ready.chronicle(round_id).facts(member.address))


def replay_station(access: Access, round_id: int, station: str) -> list[Replayed]:
    """Train again what a base station recorded, from the data that member.yaml names.

    Args:
        access: with the keys of a member who can open global models: the base station itself, or an owner.
        round_id: the round.
        station: its account, or `OWN`.

    Raises:
        MarketError: the account has not recorded anything in this round, or member.yaml names no data.
        StoreError: the winner's order cannot be had.
    """
    with desk(access) as ready:
        member = ready.member(round_id)
        facts = ready.chronicle(round_id).facts(member.address)
        account = member.address if station == OWN else station
        if not is_address(account):
            raise MarketError(f"{station} is neither an address nor the word {OWN}")
        account = str(to_checksum_address(account))
        found = facts.record.members.get(account)
        if found is None or found.role is not Role.BASE_STATION or not found.updates:
            raise MarketError(f"{account} has recorded nothing in round {round_id}")
        return list(replay(member, _work(ready), account, facts))


def _work(ready: Desk) -> Any:
    work = station_work(ready.configuration)
    if work is None:
        raise MarketError(f"{ready.configuration.path} names no data to train on")
    return work
