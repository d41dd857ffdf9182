"""A round's training once more, by nobody but this process: what the digests on chain have to be."""

from collections.abc import Iterator, Mapping

from fl.members.configuration import Data
from fl.members.facts import Facts
from fl.members.own_data import OwnData
from fl.members.owner_acts import Owner
from fl.members.rounds import stations_of
from fl.members.torch_work import TorchStation
from fl.members.work import Delivered, OwnerWork, weight_of
from fl.store.artefacts import digest_of, from_chain


def deviations(owner: Owner, work: OwnerWork, facts: Facts, data: Mapping[str, Data]) -> Iterator[str]:
    """One line for each digest on chain that is not that of the same training, undisturbed.

    Args:
        owner: one that has bid; it opens the order and the model that all started from.
        work: of an owner, which combines the updates.
        facts: of the round's end.
        data: that each base station trains on, by account.
    """
    order, record = owner.order(facts), facts.record
    model, carried = owner.model(order.text.initial_model, facts, order), b""
    for number in range(order.text.global_rounds):
        updates = []
        for account, index in stations_of(facts).items():
            station = TorchStation(OwnData(data[account]).clients_of)
            update = station.train(order, index, model, number)
            if record.members[account].updates.get(number) != bytes.fromhex(digest_of(update).removeprefix("0x")):
                yield f"the update of {account} in global round {number + 1}"
            updates.append((index, update, station.samples(order, index)))
        samples = [each for _, _, each in updates]
        delivered = [Delivered(i, data_, weight_of(n, samples, order.text.weight_limit)) for i, data_, n in updates]
        made = work.aggregate(order, number, model, delivered, 0, carried)
        model, carried = made.model, made.carried
        recorded = record.global_rounds.get(number)
        if recorded is None or from_chain(recorded[0]) != digest_of(model):
            yield f"the global model of global round {number + 1}"
    if record.result is None or from_chain(record.result[0]) != digest_of(model):
        yield "the model that was reported"
