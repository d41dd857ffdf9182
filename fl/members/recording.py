"""A round's document from the chain and what a member can open; no other member need be there."""

from collections.abc import Sequence
from contextlib import suppress

from fl.market.client import Market
from fl.market.events import Event
from fl.members.acts import NotYet
from fl.members.facts import Facts
from fl.members.owner_acts import Owner
from fl.members.work import WorkError
from fl.record.books import balances_in
from fl.record.document import Balances, GlobalRoundEntry, RoundDocument, Texts, TrainingEntry, document_of
from fl.store.artefacts import from_chain
from fl.store.errors import StoreError


def training_entry(owner: Owner, facts: Facts) -> TrainingEntry | None:
    """The training of a round as an owner finds it: every global model judged by its own test data.

    Returns:
        None where nothing was reported, or a model of it cannot be had or judged.
    """
    with suppress(StoreError, WorkError, NotYet):
        return _training_entry(owner, facts)
    return None


def _training_entry(owner: Owner, facts: Facts) -> TrainingEntry | None:
    record = facts.record
    if record.result is None or record.selected is None:
        return None
    order = owner.order(facts)
    judged = [owner.judge(order, from_chain(model), facts) for _, (model, _) in sorted(record.global_rounds.items())]
    result = from_chain(record.result[0])
    return TrainingEntry(
        dataset=order.text.dataset,
        model=order.text.model,
        initial_digest=order.text.initial_model,
        result_digest=result,
        global_rounds=tuple(
            GlobalRoundEntry(
                global_round=number,
                global_digest=from_chain(model),
                accuracy=each.accuracy,
                loss=each.loss,
                updates_root=from_chain(root),
            )
            for each, (number, (model, root)) in zip(judged, sorted(record.global_rounds.items()), strict=True)
        ),
        claimed_accuracy=record.result[1] / 10_000,
        final_accuracy=owner.judge(order, result, facts).accuracy,
        text=order.text,
    )


def texts_of(owner: Owner, facts: Facts) -> list[Texts]:
    """What an owner can read of each proposal: its text for owners, and that for base stations of the selected one."""
    found: list[Texts] = []
    for model in range(len(facts.record.models)):
        owners = stations = None
        with suppress(StoreError):
            owners = owner.view(model, facts)
        if model == facts.record.selected:
            with suppress(StoreError, NotYet):
                stations = owner.order(facts).text
        found.append((owners, stations))
    return found


def document(
    owner: Owner, facts: Facts, market: Market, events: Sequence[Event], texts: Sequence[Texts]
) -> RoundDocument:
    """A finished round as one document.

    Args:
        owner: opens and judges.
        facts: of its end.
        market: where it was played.
        events: all logs of the round, in the order of the chain.
        texts: of each proposal, as far as they are known.
    """
    return document_of(
        facts.chain_id,
        facts.contract,
        facts.record,
        texts,
        training_entry(owner, facts),
        {account: Balances(*wei) for account, wei in balances_in(market.events(), facts.round_id).items()},
        market.transactions(events),
    )
