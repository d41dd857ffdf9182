"""What an owner works out again of another's training: what does not follow is named, with who signed it.

An elector votes by it, and `ape run audit` shows it. Who has none of the keys can do all of a round but this: see
`analysis.check_round`.
"""

from collections.abc import Mapping
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
from fl.members.work import Aggregated, Updates, WorkError, weighed
from fl.record.history import CONTRIBUTION_POINTS
from fl.store.artefacts import digest_of, from_chain, to_chain
from fl.store.errors import Missing, StoreError, Unreachable, ViewError
from fl.store.texts import StationsView

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
        carried: what the order's strategy carries to the next one, by the updates that are named; None: it cannot be
            worked out.
    """

    number: int
    said: Aggregation | None
    findings: tuple[Finding, ...]
    carried: bytes | None = b""


class Auditor(Protocol):
    """An owner with its keys and its work (`fl.members.elector.Elector`)."""

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

    def aggregated(self, number: int, facts: Facts, order: Order, updates: Updates, carried: bytes) -> Aggregated:
        """The global model that follows from some, and from what the strategy carries."""
        ...


@dataclass(frozen=True)
class TrainingAudit:
    """What was found of a whole training.

    Attributes:
        order: what does not follow of the winner's order; then the rest is not looked at.
        rounds: its global rounds.
        result: what does not follow of what it reported.
        text: what its order names; None: there is none that follows.
    """

    order: tuple[Finding, ...] = ()
    rounds: tuple[GlobalRound, ...] = ()
    result: tuple[Finding, ...] = ()
    text: StationsView | None = None

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
    rounds: list[GlobalRound] = []
    for number in sorted(record.global_rounds):
        carried = rounds[-1].carried if rounds else b""
        rounds.append(_global_round(owner, number, facts, order, carried))
    return TrainingAudit((), tuple(rounds), _result(facts, order, winner), order.text)


def _result(facts: Facts, order: Order, winner: str) -> tuple[Finding, ...]:
    record = facts.record
    if record.result is None:
        return ()
    newest = newest_model(record, order.text.initial_model)
    if (reported := from_chain(record.result[0])) == newest:
        return ()
    return (Finding(f"{reported} is reported, and the last global model is {newest}", winner, "result"),)


def _global_round(owner: Auditor, number: int, facts: Facts, order: Order, carried: bytes | None) -> GlobalRound:
    """A global round, whose model follows from the updates and from what was carried to it."""
    winner, where, after = facts.record.winner or "", f"global round {number + 1}", None if order.carries else b""
    said: Aggregation | None = None
    try:
        said = owner.aggregation(number, facts)
        if said.block > facts.block:  # to ask the node for it would be to ask for ever
            raise ViewError(f"it goes by block {said.block}, and the newest is {facts.block}")
        made_of = said
        found = list(against_chain(said, number, facts, owner.market.block(said.block).time))
    except Missing:
        made_of, found = whole(number, facts), []
    except Unreachable:
        raise
    except StoreError as error:
        return GlobalRound(number, None, (Finding(f"what its model was made of: {error}", winner, where),), after)
    counting = owner.collect(number, facts, order)
    wrong, chosen = _updates(counting, made_of, number, facts, order)
    found += wrong
    if chosen is not None:
        model = from_chain(facts.record.global_rounds[number][0])
        try:
            if carried is None:
                raise WorkError(f"what {order.text.strategy} carries to it is not known: see the global rounds before")
            follows = owner.aggregated(number, facts, order, chosen, carried)
        except Unreachable:
            raise
        except (StoreError, WorkError) as error:
            found.append(f"its model cannot be worked out again: {error}")
        else:
            after = follows.carried
            if (makes := digest_of(follows.model)) != model:
                names = f"the {len(made_of.included)} updates that it names"
                found.append(f"its model is {model}, and {order.rule} of {names} makes {makes}")
    return GlobalRound(number, said, tuple(Finding(each, winner, where) for each in found), after)


def _updates(
    updates: Updates, made_of: Aggregation, number: int, facts: Facts, order: Order
) -> tuple[list[str], Updates | None]:
    """What the updates say otherwise than the winner, and those that it names; None: they cannot be had."""
    found: list[str] = []
    counting, included = updates.delivered, made_of.included
    for account in sorted(made_of.recorded.keys() & made_of.left_out.keys() & counting.keys()):
        found.append(f"it leaves out the update of {account}, which counts; its reason: {made_of.left_out[account]}")
    for account in sorted(included.keys() - counting.keys()):
        why = updates.absent.get(account, "it does not train")
        found.append(f"its model is said to have the update of {account}, which does not count: {why}")
        return found, None
    _, root = facts.record.global_rounds[number]
    if updates_root([(account, to_chain(digest)) for account, digest in included.items()]) != root:
        found.append(f"the root that it recorded is not that of the {len(included)} updates that it names")
    chosen = weighed(
        {account: counting[account] for account in counting if account in included}, order.text.weight_limit
    )
    return found, Updates(chosen, made_of.left_out, made_of.refused)


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
