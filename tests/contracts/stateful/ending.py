"""How every walk ends: a stranger ends all rounds, all money comes out again, and it is counted what happened."""

from collections.abc import Iterator
from dataclasses import astuple

from analysis.devnode.market import Call
from fl.market.terms import Phase, Status
from tests.contracts.stateful.scene import Scene
from tests.contracts.stateful.state import Round
from tests.support.assertions import DUST_A_MEMBER

# What a long walk must have come to at least once.
OUTCOMES = (
    "ended cancelled",
    "ended nothing_trained",
    "ended reported",
    "ended aborted",
    "slashed for silence",
    "slashed for absence",
    "slashed for abort",
    "slashed for vote",
    "slashed for proposal",
    "tax",
    "reward",
    "reward by contribution",
    "forfeit",
    "rebate",
)


def stranger_ends_every_round(scene: Scene) -> None:
    """With nothing but the calls that are open to anybody and the bids that anybody can read."""
    for time in sorted({time for round_ in scene.rounds for time in astuple(round_.terms.deadlines)}):
        scene.travel(time)
        for round_ in scene.rounds:
            for call in _calls_by_anybody(scene, round_):
                scene.attempt(call)
    for round_ in scene.rounds:
        assert round_.phase(scene.world.now) is Phase.SETTLE, f"round {round_.id} is stuck"
        assert all(place.settled for place in round_.places.values()), f"round {round_.id} has unsettled members"
        scene.reached.update(_outcomes(round_, scene.world.now))


def _calls_by_anybody(scene: Scene, round_: Round) -> Iterator[Call]:
    """What takes the round on now."""
    market, stranger, now = scene.market, scene.stranger, scene.world.now
    if round_.phase(now) is Phase.SELECT:
        yield market.call("selectModel", round_.id, sender=stranger)
    if round_.phase(now) is Phase.REPORT and now >= round_.terms.deadlines.report and round_.winner:
        yield market.call("abortTraining", round_.id, round_.words_of(round_.places[round_.winner]), sender=stranger)
    unsettled = [place for place in round_.places.values() if not place.settled]
    if round_.phase(now) is Phase.SETTLE and unsettled:
        words = [word for place in unsettled for word in round_.words_of(place)]
        yield market.call("settleMany", round_.id, [place.account for place in unsettled], words, sender=stranger)


def everybody_withdraws(scene: Scene) -> None:
    """Members claim their rebates and withdraw; of each round only dust is left."""
    for round_ in scene.rounds:
        for account in [account for account in round_.places if round_.rebate_due(account)]:
            scene.attempt(scene.market.call("claimRebate", round_.id, sender=account))
        members = sum(place.committed for place in round_.places.values())
        bound = DUST_A_MEMBER * max(1, members) + round_.outcome.abort_remainder
        assert round_.escrow < bound, f"round {round_.id} keeps {round_.escrow} wei of {members} members"
    scene.market.chain.set_code(scene.hedgehog, b"")
    scene.world.refusing = frozenset()
    for account, free in scene.world.free.items():
        scene.attempt(scene.market.call("withdraw", free, sender=account))
    seen = scene.check()
    left = sum(view.escrow for view in seen.rounds.values())
    assert seen.held == left, f"the contract holds {seen.held} wei, of which {left} are dust"


def _outcomes(round_: Round, now: int) -> set[str]:
    """What the round has come to: words of `OUTCOMES`, and some more."""
    statements = round_.outcome.owners + round_.outcome.base_stations
    reported = round_.stored is Status.REPORTED
    rewarded = any(statement.reward for statement in statements)
    found = {
        f"ended {round_.status(now).name.lower()}": True,
        "tax": any(statement.tax for statement in statements),
        "reward": rewarded and reported,
        "reward by contribution": rewarded and reported and round_.by_contribution,
        "forfeit": any(statement.forfeited for statement in statements),
        "rebate": any(statement.rebate for statement in statements),
        "no recorder": reported and not round_.recorders,
    }
    slashed = {f"slashed for {statement.slash}" for statement in statements if statement.slash}
    return slashed | {name for name, came in found.items() if came}
