"""What a round is held against once it is finished: the chain's books and the artefacts that its digests name."""

from fl.crowdfunding.cast import Played
from fl.faults import Fault
from fl.market.client import Market
from fl.members.audit import audit_training
from fl.store.artefacts import from_chain


def check_books(market: Market, played: Played) -> list[str]:
    """Hold the contract's ether against all balances and escrows, and every balance against settlement and lot.

    Returns:
        One line a discrepancy.
    """
    found = []
    if unaccounted := market.unaccounted():
        found.append(f"the contract holds {unaccounted} wei more than all balances and escrows")
    if played.escrow_left != played.record.kept:
        found.append(f"{played.escrow_left} wei of the round are left, its settlements keep {played.record.kept}")
    for entry in played.document.members:
        if played.record.members[entry.account].settled is None:
            found.append(f"{entry.account} is not settled")
        expected = entry.balance_before - entry.payment + entry.lot
        if entry.balance_after != expected:
            found.append(f"{entry.account} has {entry.balance_after} wei, its settlement says {expected}")
    return found


def check_artefacts(played: Played) -> list[str]:
    """Hold artefacts against their digests on chain, and global models against the updates, as an elector does.

    Returns:
        One line a discrepancy.
    """
    record = played.record
    if record.winner is None:
        return []
    owner = next(each for each in played.owners if each.address != record.winner)
    try:
        audited = audit_training(owner, played.facts)
        if record.result is not None:
            owner.store.get(from_chain(record.result[0]), owner.keys(), folder=owner.folder(record.winner))
    except Fault as error:
        return [str(error)]
    # That a winner reports another model is what `--bad-winner` shows, and what electors punish.
    return [str(each) for each in (*audited.order, *(found for each in audited.rounds for found in each.findings))]
