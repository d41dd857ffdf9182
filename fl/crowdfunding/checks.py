"""What a round is held against once it is finished: the chain's books and the artefacts that its digests name."""

from fl.crowdfunding.cast import Played
from fl.faults import Fault
from fl.market.client import Market
from fl.market.merkle import updates_root
from fl.members.owner import present
from fl.store.artefacts import digest_of, from_chain


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
    """Hold artefacts against their digests on chain, and global models against the recorded updates, as an elector can.

    Returns:
        One line a discrepancy.
    """
    record = played.record
    found: list[str] = []
    if record.winner is None:
        return found
    owner = next(each for each in played.owners if each.address != record.winner)
    try:
        order = owner.order(played.facts)
        for number, (digest, root) in sorted(record.global_rounds.items()):
            updates, recorded = owner.collect(number, played.facts, order), present(played.facts, number)
            if updates_root([(account, recorded[account]) for account in updates.delivered]) != root:
                found.append(f"global round {number}: its updates root is not that of the recorded updates")
            model = owner.aggregated(number, played.facts, order, updates)
            if digest_of(model) != from_chain(digest):
                found.append(f"global round {number}: its model is not the average of the recorded updates")
        if record.result is not None:
            owner.store.get(from_chain(record.result[0]), owner.keys(), account=record.winner)
    except Fault as error:
        found.append(str(error))
    return found
