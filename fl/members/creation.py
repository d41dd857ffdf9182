"""What `ape run create_round` does: the terms checked, what each role can lose said, then one transaction."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from fl.market.client import Market
from fl.market.membership_file import MembershipList
from fl.market.refusals import MarketError
from fl.market.terms import GWEI, ROLES, Phase, Policy, Role, RoundTerms
from fl.market.terms_file import PHASES, TermsFile, problems
from fl.market.words import duration, gwei, utc
from fl.members.access import Access
from fl.record.document import portable
from fl.store.signed import Domain

LOOK_BACK = 20
"""Rounds among which the same one is looked for."""


def create_round(access: Access, path: Path, another: bool, confirm: Callable[[list[str]], None]) -> dict[str, Any]:
    """Create a round.

    Args:
        access: where, as whom, and for which membership list.
        path: of the terms.
        another: although the same terms and list are open for joining already.
        confirm: is told what the round will be; ends the command where that is not wanted.

    Returns:
        What was created.

    Raises:
        Fault: the terms, the list or the account cannot be used, or the contract refused.
    """
    file = TermsFile.read(path)
    access.check()
    sender = access.signer()
    with access.market() as market:
        members = access.members(Domain(market.chain_id, market.address))
        if members is None:
            raise MarketError("no membership list is named: --membership FILE (`ape run membership` makes it)")
        terms = file.terms(market.next_time())
        _check_points(terms, members)
        if not another and (twin := _twin(market, terms, members)):
            raise MarketError(
                f"round {twin} has the same terms and members, and can still be joined: `ape run status {twin}` shows "
                "it; --another creates one more"
            )
        confirm(describe(terms, members, str(sender.address)))
        for key, must in problems(terms, market.next_time()):
            raise MarketError(f"{path}: {key} has become too early while this waited and must be {must}: run it again")
        round_id = market.create_round(sender, terms, members.root)
        stored, door = market.terms(round_id)
        if stored != terms or door != terms.door(members.root):
            raise MarketError(f"round {round_id} has not the terms that were sent: let nobody join it")
        return document_of(market, round_id, terms, members)


def document_of(market: Market, round_id: int, terms: RoundTerms, members: MembershipList) -> dict[str, Any]:
    """A round that was created, for a program; amounts are wei, beyond 2^53 as text."""
    return {
        "round": round_id,
        "chain_id": market.chain_id,
        "contract": market.address,
        "terms_hash": "0x" + terms.hash.hex(),
        "membership_root": "0x" + members.root.hex(),
        "door": "0x" + terms.door(members.root).hex(),
        "deadlines": {phase: getattr(terms.deadlines, phase) for phase in PHASES},
        "losses": [
            {
                "role": word,
                "points": points,
                "lock": portable(terms.lock(role, points)),
                "worst_loss": portable(terms.worst_loss(role, points)),
            }
            for word, role, points in _kinds(members)
        ],
    }


def describe(terms: RoundTerms, members: MembershipList, sender: str) -> list[str]:
    """A round that is about to be created, with the most that each role can lose."""
    counts = " and ".join(f"{len(members.side(role))} {word}s" for word, role in ROLES.items())
    lines = [f"A round for {counts}, listed by {members.maker}, created by {sender}", "", "Phases end"]
    before = None
    for phase in PHASES:
        at = getattr(terms.deadlines, phase)
        after = "" if before is None else f"  {duration(at - before)} later"
        lines.append(f"  {phase:<7} {utc(at)}{after}")
        before = at
    lines += ["", "The most that each can lose, gwei"]
    for word, role, points in _kinds(members):
        lock, loss = terms.lock(role, points), terms.worst_loss(role, points)
        who = (
            f"{word} with {points:,} points" if terms.owner_policy is Policy.CAPABILITY and role is Role.OWNER else word
        )
        lines.append(
            f"  {who}: {gwei(loss)} as long as it does its duty; silent, absent or found wanting by a vote "
            f"{gwei(lock)}, which is what it locks"
        )
    unwise = _unwise(terms, len(members.side(Role.OWNER)))
    return lines + [line for each in unwise for line in ("", each)]


def _unwise(terms: RoundTerms, owners: int) -> Iterator[str]:
    """Terms that hold, and under which somebody does better by not doing its duty."""
    if not terms.contribution_stake:
        yield "contribution_stake is 0: a base station that records and does not train loses nothing"
    if terms.bond < (enough := 2 * terms.max_owner_bid) * GWEI:
        yield f"bond is below {enough} gwei, twice max_owner_bid: an owner that claims too much accuracy can gain by it"
    elif terms.bond < (enough := owners * terms.max_owner_bid // 2) * GWEI:
        yield (
            f"bond is below {enough} gwei, half of max_owner_bid for each owner: a winner and all base stations "
            "together can gain by a training that is none"
        )


def _kinds(members: MembershipList) -> list[tuple[str, Role, int]]:
    """Who locks the same: role and points."""
    return [
        (word, role, points)
        for word, role in ROLES.items()
        for points in sorted({each.entry.points for each in members.side(role)})
    ]


def _check_points(terms: RoundTerms, members: MembershipList) -> None:
    for each in members.members:
        if each.entry.points != 1 and terms.owner_policy is not Policy.CAPABILITY:
            raise MarketError(
                f"{each.name or each.entry.account} is listed with {each.entry.points} points, and owner_policy is "
                "equal: make the list without points, or the terms with capability"
            )


def _twin(market: Market, terms: RoundTerms, members: MembershipList) -> int:
    """A round that only begins at another time and can still be joined: one created by a command that was killed."""
    newest = market.round_count()
    for round_id in range(newest, max(0, newest - LOOK_BACK), -1):
        other, door = market.terms(round_id)
        alike = replace(other, deadlines=terms.deadlines) == terms and _lengths(other) == _lengths(terms)
        if alike and other.door(members.root) == door and market.round_state(round_id).phase is Phase.JOIN:
            return round_id
    return 0


def _lengths(terms: RoundTerms) -> list[int]:
    """Seconds of each phase but the first."""
    return [later - earlier for earlier, later in pairwise(getattr(terms.deadlines, phase) for phase in PHASES)]
