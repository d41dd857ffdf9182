"""What an owner works out again of another's training: what does not follow is named, with who signed it.

An elector votes by it, and `ape run audit` shows it. Who has none of the keys can do all of a round but this: see
`analysis.check_round`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from fl.market.client import Market
from fl.market.merkle import updates_root
from fl.market.terms import Role
from fl.members.acts import NotYet
from fl.members.aggregation import Aggregation, against_chain, whole
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.owner import newest_model
from fl.members.work import Updates, WorkError, weighed
from fl.record.history import CONTRIBUTION_POINTS
from fl.store.artefacts import digest_of, from_chain, to_chain
from fl.store.errors import Missing, StoreError, Unreachable

UPHOLD_WITHIN = 100_000
"""An elector upholds points that are no further from what it measured, for every base station; of many no further than
half an equal part, for else twice a part, the most that may be listed, would be as good as none."""


@dataclass(frozen=True)
class Finding:
    """Something that does not follow from what it should.

    Attributes:
        what: in words.
        signer: account that signed it, or sent it to the chain.
        where: which part of the round.
    """

    what: str
    signer: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} (signed by {self.signer})"


@dataclass(frozen=True)
class GlobalRound:
    """A global round as it was found.

    Attributes:
        number: from 0.
        said: by the winner, of what its model was made; None: it left no word.
        findings: what does not follow.
    """

    number: int
    said: Aggregation | None
    findings: tuple[Finding, ...]


class Auditor(Protocol):
    """An owner with its keys and its work (`fl.members.owner_acts.Owner`)."""

    market: Market

    def order(self, facts: Facts) -> Order:
        """The winner's, held against what it proposed and claimed."""
        ...

    def aggregation(self, number: int, facts: Facts) -> Aggregation:
        """What the winner left about a global model."""
        ...

    def collect(self, number: int, facts: Facts, order: Order) -> Updates:
        """The updates of a global round."""
        ...

    def aggregated(self, number: int, facts: Facts, order: Order, updates: Updates) -> bytes:
        """The global model that follows from some."""
        ...


@dataclass(frozen=True)
class TrainingAudit:
    """What was found of a whole training.

    Attributes:
        order: what does not follow of the winner's order; then the rest is not looked at.
        rounds: its global rounds.
        result: what does not follow of what it reported.
    """

    order: tuple[Finding, ...] = ()
    rounds: tuple[GlobalRound, ...] = ()
    result: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that does not follow, what was signed first before the rest."""
        return (*self.order, *(found for each in self.rounds for found in each.findings), *self.result)


def audit_training(owner: Auditor, facts: Facts) -> TrainingAudit:
    """Everything that the winner has signed of the training, worked out again from what others have.

    Raises:
        Unreachable: the store did not answer, which is nobody's fault.
    """
    record = facts.record
    winner = record.winner
    if winner is None or record.selected is None:
        return TrainingAudit()
    try:
        order = owner.order(facts)
    except Unreachable:
        raise
    except (StoreError, NotYet) as error:
        return TrainingAudit((Finding(f"it cannot be held against the proposal: {error}", winner, "order"),))
    rounds = tuple(_global_round(owner, number, facts, order) for number in sorted(record.global_rounds))
    return TrainingAudit((), rounds, _result(facts, order, winner))


def _result(facts: Facts, order: Order, winner: str) -> tuple[Finding, ...]:
    record = facts.record
    if record.result is None:
        return ()
    newest = newest_model(record, order.text.initial_model)
    if (reported := from_chain(record.result[0])) == newest:
        return ()
    return (Finding(f"{reported} is reported, and the last global model is {newest}", winner, "result"),)


def _global_round(owner: Auditor, number: int, facts: Facts, order: Order) -> GlobalRound:
    winner, where = facts.record.winner or "", f"global round {number + 1}"
    said: Aggregation | None = None
    try:
        said = owner.aggregation(number, facts)
        made_of = said
        found = list(against_chain(said, number, facts, owner.market.block(said.block).time))
    except Missing:
        made_of, found = whole(number, facts), []
    except Unreachable:
        raise
    except StoreError as error:
        return GlobalRound(number, None, (Finding(f"what its model was made of: {error}", winner, where),))
    found += _updates(owner.collect(number, facts, order), made_of, number, facts, order, owner)
    return GlobalRound(number, said, tuple(Finding(each, winner, where) for each in found))


def _updates(
    updates: Updates, made_of: Aggregation, number: int, facts: Facts, order: Order, owner: Auditor
) -> Iterator[str]:
    """What the updates say otherwise than the winner and its model."""
    model, root = facts.record.global_rounds[number]
    counting, included = updates.delivered, made_of.included
    for account in sorted(made_of.recorded.keys() & made_of.left_out.keys() & counting.keys()):
        yield f"it leaves out the update of {account}, which counts; its reason: {made_of.left_out[account]}"
    for account in sorted(included.keys() - counting.keys()):
        why = updates.absent.get(account, "it does not train")
        yield f"its model is said to have the update of {account}, which does not count: {why}"
        return
    if updates_root([(account, to_chain(digest)) for account, digest in included.items()]) != root:
        yield f"the root that it recorded is not that of the {len(included)} updates that it names"
    chosen = weighed(
        {account: counting[account] for account in counting if account in included}, order.text.weight_limit
    )
    try:
        follows = digest_of(owner.aggregated(number, facts, order, Updates(chosen, made_of.left_out, made_of.refused)))
    except Unreachable:
        raise
    except (StoreError, WorkError) as error:
        yield f"its model cannot be worked out again: {error}"
        return
    if follows != from_chain(model):
        yield (
            f"its model is {from_chain(model)}, and {order.text.rule} of the {len(included)} updates that it names "
            f"makes {follows}"
        )


def differing_points(measured: Mapping[str, int], facts: Facts) -> tuple[Finding, ...]:
    """The listed contributions that an elector does not find right: too far from what was measured, or 0.

    An upheld 0 takes a bond. Whether a base station was given what it needed to train, nobody but it and the winner
    knows; so an elector takes a 0 for nothing but the winner's word, however little it has measured itself.
    """
    stations = len(facts.record.committed(Role.BASE_STATION))
    within = min(UPHOLD_WITHIN, CONTRIBUTION_POINTS // (2 * max(1, stations)))
    listed = facts.record.contributions
    findings = []
    for account in sorted({*listed, *measured}):
        points, own = listed.get(account, 0), measured.get(account, 0)
        if abs(points - own) > within:
            what = f"{account} is listed with {points:,} points, and {own:,} are measured"
        elif account in listed and points == 0:
            what = f"{account} is listed with 0 points, which takes its bond"
        else:
            continue
        findings.append(Finding(what, facts.record.winner or "", "contributions"))
    return tuple(findings)
