"""The next step of a base station: it bids, trains the winner's model on its own data, and records its updates.

Attendance earns the reward, the update the points. So whatever an order, a model or the training holds up, what is left
is recorded in time: each global round in the `reserve` before the next one's, the last in that before the deadline.
"""

from fl.market.terms import Status
from fl.members.facts import Facts
from fl.members.rounds import Conduct, Notes, after_training, look_on, settled, until_selected
from fl.members.steps import Accept, Attend, Step, Train, Wait


def next_step(facts: Facts, notes: Notes, conduct: Conduct) -> Step:
    """What a base station does next."""
    match facts.status:
        case Status.OPEN:
            return until_selected(facts, notes, conduct)
        case Status.TRAINING:
            return _train(facts, notes, conduct)
        case Status.REPORTED:
            return after_training(facts, conduct)
        case _:
            return settled(facts, conduct)


def last_call(facts: Facts, conduct: Conduct) -> int:
    """From when on the base station records what is left, with or without an update; training has until then.

    Returns:
        Unix time.
    """
    recorded = 0 if facts.me is None else len(facts.me.updates)
    return facts.deadlines.train - conduct.reserve * (facts.global_rounds - recorded)


def _train(facts: Facts, notes: Notes, conduct: Conduct) -> Step:
    deadlines, me = facts.deadlines, facts.me
    if me is None or me not in facts.recorders or facts.now >= deadlines.train:
        return look_on(facts, conduct)
    number = len(me.updates)
    if number == facts.global_rounds:
        return Wait(deadlines.report, "every global round is recorded")
    last = last_call(facts, conduct)
    if facts.now >= last:
        return Train(number) if f"update-{number}" in notes else Attend(number)
    if f"update-{number}" in notes:
        return Train(number)
    if number in facts.record.global_rounds:
        return Attend(number)  # the winner went on without it
    if "order" not in notes:
        return Accept()
    if number == 0 or number - 1 in facts.record.global_rounds:
        return Train(number)
    return Wait(last, f"the winner has not recorded global round {number}")
