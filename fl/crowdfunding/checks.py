"""What a round is held against once it is finished: the chain's books and the artefacts that its digests name."""

from dataclasses import replace

from fl.artefacts import ArtefactError, ArtefactStore, digest_of, from_chain
from fl.crowdfunding.crew import NO_UPDATE, Recorded, recorded_root
from fl.crowdfunding.play import Played
from fl.market.client import Market
from fl.market.terms import Role
from fl.training.cloud import train
from fl.training.errors import TrainingError
from fl.training.model.artefact import save_model


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
    """Hold artefacts against their digests on chain, and global models against what the recorded updates make.

    The training is played again from what the chain names, with the run's rule.

    Returns:
        One line a discrepancy.
    """
    record, federation, document = played.record, played.federation, played.document
    found: list[str] = []
    if federation is None or document.training is None:
        return found
    stations = record.committed(Role.BASE_STATION)
    config = replace(federation.config, contribution="none", rounds=len(record.global_rounds))
    crew = Recorded(federation.model, lambda: record, store, federation.evaluate)
    try:
        for done in train(config, federation.model, crew):
            number = done.global_round
            model_digest, root = record.global_rounds[number]
            for index, reason in done.absent.items():
                if stations[index].updates.get(number, NO_UPDATE) != NO_UPDATE:
                    found.append(f"global round {number}, base station {index + 1}: {reason}")
            if recorded_root(record, number) != root:
                found.append(f"global round {number}: its updates root is not that of the recorded updates")
            model = save_model(federation.model, done.state, global_round=number)
            if digest_of(model) != from_chain(model_digest):
                found.append(f"global round {number}: its model is not what the recorded updates make")
            if done.evaluation.accuracy != document.training.global_rounds[number].accuracy:
                found.append(f"global round {number}: its accuracy is {done.evaluation.accuracy:.2%}, not as written")
    except TrainingError as error:
        found.append(str(error))
    if record.result is not None:
        try:
            store.get(from_chain(record.result[0]))
        except ArtefactError as error:
            found.append(f"the reported model: {error}")
    return found
