"""The next step of a model owner: it proposes, bids, and trains its model if that wins, or else judges the winner's."""

from collections.abc import Mapping
from dataclasses import dataclass

from fl.market.terms import Status
from fl.members.facts import Facts
from fl.members.rounds import Conduct, Notes, after_training, look_on, overdue, settled, until_selected
from fl.members.steps import Aggregate, Deliver, List, Propose, Report, Step, Stuck, Vote, Wait
from fl.record.history import MemberRecord, RoundRecord
from fl.store.artefacts import from_chain, to_chain

NO_UPDATE = bytes(32)
"""What a base station records that was there and has no update: attendance earns the reward, the update the points."""


@dataclass(frozen=True)
class OwnerConduct(Conduct):
    """How an owner goes about a round.

    Attributes:
        proposes: whether it proposes a model.
    """

    proposes: bool = False


def next_step(facts: Facts, notes: Notes, conduct: OwnerConduct) -> Step:
    """What an owner does next."""
    match facts.status:
        case Status.OPEN:
            step = until_selected(facts, notes, conduct)
            return Propose() if _can_propose(facts) and conduct.proposes else step
        case Status.TRAINING:
            return _train(facts, notes, conduct) if facts.is_winner else look_on(facts, conduct)
        case Status.REPORTED:
            if facts.is_elector and not facts.has_voted and facts.now < facts.deadlines.vote:
                return Vote()
            return after_training(facts, conduct)
        case _:
            return settled(facts, conduct)


def _can_propose(facts: Facts) -> bool:
    models = facts.record.models
    in_time = facts.me is not None and facts.now < facts.deadlines.join
    return in_time and len(models) < facts.terms.max_models and all(each.proposer != facts.account for each in models)


def _train(facts: Facts, notes: Notes, conduct: OwnerConduct) -> Step:
    deadlines, done = facts.deadlines, len(facts.record.global_rounds)
    if step := overdue(facts):
        return step
    if "claim" not in notes:
        return Stuck(
            "the journal does not have the claim of the proposal: put back the one it was noted in, or lose the bond"
        )
    if facts.now < deadlines.train and done < facts.global_rounds:
        if "delivered" not in notes:
            return Deliver()
        return _aggregate(facts, notes, done)
    if facts.now < deadlines.train and not facts.all_recorded:
        return Wait(deadlines.train, "some base stations have not recorded every global round")
    # Points are worth no bond: what is not listed by then stays out.
    if facts.now < deadlines.report - conduct.reserve and ("points" not in notes or unlisted(facts, notes["points"])):
        return List()
    return Report(to_chain(newest_model(facts.record, notes["claim"]["initial"])))


def unlisted(facts: Facts, points: Mapping[str, int]) -> dict[str, int]:
    """The points that are not on chain yet."""
    return {account: each for account, each in points.items() if facts.record.members[account].listed != each}


def newest_model(record: RoundRecord, initial: str) -> str:
    """Digest of the newest global model on chain; of the initial one where there is none."""
    last = max(record.global_rounds, default=None)
    return initial if last is None else from_chain(record.global_rounds[last][0])


def _aggregate(facts: Facts, notes: Notes, number: int) -> Step:
    """Wait for every base station, but for each not longer than its global round has time."""
    cut = cut_of(facts, number)
    before = notes.get(f"aggregate-{number - 1}", {}).get("included", {})
    missing = [each for each in facts.recorders if number not in each.updates]
    awaited = [each.account for each in missing if not _is_gone(each, number) or each.account in before]
    if awaited and facts.now < cut:
        return Wait(cut, f"{len(awaited)} base stations have not recorded global round {number + 1}")
    return Aggregate(number)


def _is_gone(station: MemberRecord, number: int) -> bool:
    """Whether a base station has missed the global round before: it is not waited for twice.

    One whose update of then was averaged has not: a reorganisation has dropped its record, which it sends again.
    """
    return number > 0 and number - 1 not in station.updates


def cut_of(facts: Facts, number: int) -> int:
    """Until when the winner waits for the updates of a global round.

    The time to the train deadline in equal parts, one more than there are global rounds: the last is the base
    stations', who record until then what they have.
    """
    start, end = facts.record.since, facts.deadlines.train
    return start + (end - start) * (number + 1) // (facts.global_rounds + 1)


def present(facts: Facts, number: int) -> dict[str, bytes]:
    """The digest that each base station has recorded of its update of a global round."""
    recorded = ((each.account, each.updates.get(number, NO_UPDATE)) for each in facts.recorders)
    return {account: digest for account, digest in recorded if digest != NO_UPDATE}
