"""What came of a round, in words: how it ended, who did not do its duty, and what that cost."""

from collections.abc import Iterator, Mapping

from fl.market.terms import Role
from fl.record.history import MemberRecord, RoundRecord
from fl.record.statement import gwei_text

MUTE = "mute"
"""What a proposer is that sends no text."""


def story(
    record: RoundRecord,
    left_out: Mapping[int, Mapping[str, str]],
    deviants: Mapping[str, str],
    randomness: int,
) -> Iterator[str]:
    """A settled round, line by line; members are named by their accounts.

    Args:
        record: from its events.
        left_out: why the winner left a base station out, by global round and account.
        deviants: in what way a member was not honest, by account.
        randomness: `prevrandao` of the block of the draw.
    """
    yield f"round {record.round_id}: {_ended(record)}"
    source = "prevrandao" if randomness > 2**64 else "the hash of the block before it, for want of prevrandao"
    if record.claimant is not None:
        yield f"  {record.claimant} stood aside as claimant, drawn from {source}"
    if record.votes:
        votes = ", ".join(
            f"{each.account} measured {each.measured_accuracy_bps / 100:.1f} % and "
            f"{'upheld' if each.uphold else 'did not uphold'} the contributions"
            for each in record.votes
        )
        yield f"  {votes}"
    for account, how in deviants.items():
        member = record.members.get(account)
        if member is None:
            yield f"  {account} ({how}) did not join"
            continue
        yield f"  {account} was not honest ({how}): {_cost(member)}"
        if how == MUTE:
            yield from _nobody_was_told(record, account)
    for number, reasons in sorted(left_out.items()):
        for account, reason in reasons.items():
            yield f"  {account} was left out of global round {number + 1}: {reason}"


def _ended(record: RoundRecord) -> str:
    status = record.status.name.lower().replace("_", " ")
    settled = f"{sum(each.settled is not None for each in record.members.values())} members settled"
    if record.winner is None:
        return f"{status}, {settled}"
    claimed = "" if record.result is None else f" with a claim of {record.result[1] / 100:.1f} %"
    verdict = "punished" if record.punished else "upheld" if record.upheld else "not upheld"
    return (
        f"of {len(record.models)} models that of {record.winner} was selected, trained for {len(record.global_rounds)} "
        f"global rounds and {status}{claimed}; {verdict}, {settled}"
    )


def _cost(member: MemberRecord) -> str:
    """What the round came to for it."""
    if member.settled is None:
        return "it is not settled"
    parts = {
        "was paid": member.settled.reward,
        "paid": member.settled.share,
        "was taxed": member.settled.tax,
        "got back of the stakes, less its own,": member.settled.bonus,
        "lost of its bond": member.settled.slashed,
        "had the lot of": member.lot,
    }
    return "it " + (", ".join(f"{what} {gwei_text(wei)} gwei" for what, wei in parts.items() if wei) or "paid nothing")


def _nobody_was_told(record: RoundRecord, account: str) -> Iterator[str]:
    """What members bid on a model of which they know nothing."""
    for number, model in enumerate(record.models):
        if model.proposer != account:
            continue
        for role, who in ((Role.OWNER, "owners"), (Role.BASE_STATION, "base stations")):
            bids = [each.bids(len(record.models)) for each in record.side(role) if each.account != account]
            said = ", ".join(str(each[number]) for each in bids if each is not None)
            yield f"  on the model of {account}, of which nobody was told anything, the other {who} bid {said} gwei"
