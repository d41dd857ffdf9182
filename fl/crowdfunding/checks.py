"""What a round is held against once it is finished: the chain's books and the artefacts that its digests name."""

from fl.crowdfunding.play import Played
from fl.crowdfunding.training import NO_UPDATE
from fl.market.client import Market
from fl.market.merkle import updates_root
from fl.market.terms import Role
from fl.store.artefacts import ArtefactStore, from_chain
from fl.store.errors import StoreError
from fl.training.averaging.aggregate import aggregate
from fl.training.errors import TrainingError
from fl.training.model.artefact import save_model
from fl.training.update import load_update


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


def check_artefacts(played: Played, store: ArtefactStore) -> list[str]:
    """Hold artefacts against their digests on chain, and global models against the average of the recorded updates.

    Returns:
        One line a discrepancy.
    """
    record = played.record
    found: list[str] = []
    if played.federation is None:
        return found
    for number, (model_digest, root) in sorted(record.global_rounds.items()):
        updates = {
            member.account: digest
            for member in record.side(Role.BASE_STATION)
            if (digest := member.updates.get(number, NO_UPDATE)) != NO_UPDATE
        }
        if updates_root(list(updates.items())) != root:
            found.append(f"global round {number}: its updates root is not that of the recorded updates")
        try:
            model = played.federation.model
            state = aggregate(load_update(store.get(from_chain(digest)), model) for digest in updates.values())
            average = store.put(save_model(model, state, global_round=number))
            if average != from_chain(model_digest):
                found.append(f"global round {number}: its model is not the average of the recorded updates")
        except (StoreError, TrainingError) as error:
            found.append(f"global round {number}: {error}")
    if record.result is not None:
        try:
            store.get(from_chain(record.result[0]))
        except StoreError as error:
            found.append(f"the reported model: {error}")
    return found
