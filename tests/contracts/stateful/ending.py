"""How every walk ends: a stranger ends all rounds, all money comes out again, and it is counted what happened."""

from collections.abc import Iterator

from analysis.devnode.market import Call
from fl.market.terms import Phase, Status
from tests.contracts.stateful.comparison import assert_lasting
from tests.contracts.stateful.scene import Scene, times_of
from tests.contracts.stateful.state import Round

# What a long walk must have come to at least once.
OUTCOMES = (
    "ended cancelled",
    "ended nothing_trained",
    "ended reported",
    "ended aborted",
    "cancelled without a draw",
    "cancelled after the draw",
    "slashed for silence",
    "slashed for absence",
    "slashed for abort",
    "slashed for vote",
    "slashed for proposal",
    "slashed for zero",
    "tax",
    "lot",
    "reward",
    "reward after an abort",
    "partial work",
    "forfeit",
    "bonus",
    "upheld",
    "no recorder",
    "settle done",
    "claimLot done",
    "released before the end",
)


def stranger_ends_every_round(scene: Scene) -> None:
    """With nothing but the calls that are open to anybody and the bids that anybody can read."""
    for time in sorted({time for round_ in scene.rounds for time in times_of(round_)}):
        scene.travel(time)
        for round_ in scene.rounds:
            for call in _calls_by_anybody(scene, round_):
                scene.attempt(call)
    for round_ in scene.rounds:
        assert round_.phase(scene.world.now) is Phase.SETTLE, f"round {round_.id} is stuck"
        assert not round_.unsettled, f"round {round_.id} has unsettled members"
        scene.reached.update(_outcomes(round_, scene.world.now))


def _calls_by_anybody(scene: Scene, round_: Round) -> Iterator[Call]:
    """What takes the round on now."""
    market, stranger, now = scene.market, scene.stranger, scene.world.now
    deadlines = round_.terms.deadlines
    if round_.phase(now) is Phase.DRAW and now >= deadlines.draw_opens:
        yield market.call("drawClaimant", round_.id, sender=stranger)
    if round_.phase(now) is Phase.SELECT:
        yield market.call("selectModel", round_.id, sender=stranger)
    if round_.phase(now) is Phase.REPORT and now >= deadlines.report:
        yield market.call("abortTraining", round_.id, sender=stranger)
    settling = [place for place in round_.unsettled if round_.can_settle(place, now)]
    if settling:
        words = [word for place in settling for word in round_.words_of(place)]
        yield market.call("settleMany", round_.id, [place.account for place in settling], words, sender=stranger)


def everybody_withdraws(scene: Scene) -> None:
    """Claimants take their lots, everybody withdraws; of each round only what is kept is left."""
    market, kept = scene.market, 0
    for round_ in scene.rounds:
        assert_lasting(market, round_)
        if round_.claimant:
            scene.attempt(market.call("claimLot", round_.id, sender=round_.claimant))
        kept += round_.outcome.kept
        assert round_.escrow == round_.outcome.kept, f"round {round_.id} keeps {round_.escrow} wei"
    market.chain.set_code(scene.hedgehog, b"")
    scene.world.refusing = frozenset()
    for account, free in scene.world.free.items():
        scene.attempt(market.call("withdraw", free, account, sender=account))
    seen = scene.check()
    assert seen.held == kept, f"the contract holds {seen.held} wei, of which {kept} are kept for good"


def _outcomes(round_: Round, now: int) -> set[str]:
    """What the round has come to, in words of `OUTCOMES`."""
    result = round_.outcome
    dues = result.owners + result.stations
    status, reported = round_.status(now), round_.stored is Status.REPORTED
    rewarded = any(due.reward for due in dues)
    found = {
        f"ended {status.name.lower()}": True,
        "cancelled without a draw": status is Status.CANCELLED and not round_.drawn,
        "cancelled after the draw": status is Status.CANCELLED and round_.drawn,
        "tax": any(due.tax for due in dues),
        "lot": result.lot > 0,
        "reward": rewarded and reported,
        "reward after an abort": rewarded and not reported,
        "partial work": any(0 < place.recorded < round_.global_rounds for place in round_.recorders),
        "forfeit": any(due.forfeited for due in dues),
        "bonus": any(due.bonus > 0 for due in dues),
        "upheld": result.upheld,
        "no recorder": reported and not round_.recorders,
    }
    slashed = {f"slashed for {due.slash}" for due in dues if due.slash}
    return slashed | {name for name, came in found.items() if came}
