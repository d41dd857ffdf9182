"""Junk joins by the thousand and proposals up to the limit: nobody pays more for them than those who send them."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.chain import Receipt
from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat
from fl.market.terms import Role, Stage
from tests.conftest import rounds_on, untouched
from tests.support.assertions import assert_conserved

JUNK = 1_000  # accounts that join and never come back
MODELS = 10
MOST_MODELS = 64  # proposals, as many as there can be
HONEST = 10  # owners and base stations each
BATCH = 250  # members settled in a call
DEARER_BY = 1 / 100  # a call may cost this part more beside the junk
STRANGER = actor("stranger")
LATE = Seat("late", actor("late"), Role.OWNER, (0,) * MOST_MODELS)  # listed, and last to join

Gas = list[tuple[str, int]]  # every call that was mined, in order


def created(market: Market, owners: int, models: int) -> LiveRound:
    """The first owners propose a model each. Model 3 is worth most."""
    values = [tuple(20 + (o + m) % 5 + (30 if m == 3 else 0) for m in range(models)) for o in range(owners)]
    costs = [tuple(1 + (s + 3 * m) % 11 for m in range(models)) for s in range(HONEST)]
    strangers = [seat.entry for seat in (*listed_junk(), LATE)]
    return rounds_on(market)(values, costs, proposers=range(models), max_models=models, strangers=strangers)


def listed_junk() -> list[Seat]:
    """A thousand accounts of the membership list, half of them owners and half base stations."""
    return [Seat(f"junk {i}", actor(f"junk {i}"), Role(i % 2), (0,) * MODELS) for i in range(JUNK)]


def flood(round_: LiveRound) -> list[Seat]:
    """All of them join."""
    junk = listed_junk()
    round_.market.chain.raw_batch([("anvil_setBalance", (seat.account, hex(FUNDS))) for seat in junk])
    round_.market.send_all([round_.join(seat) for seat in junk])
    return junk


def settle_junk(round_: LiveRound, junk: Sequence[Seat]) -> list[Receipt]:
    """A stranger settles them, in large batches."""
    batches = [[seat.account for seat in junk[start : start + BATCH]] for start in range(0, JUNK, BATCH)]
    calls = [round_.call("settleMany", batch, round_.zeros * len(batch), sender=STRANGER) for batch in batches]
    return round_.market.send_all(calls)


def played(round_: LiveRound) -> Gas:
    """Plays the round to its end and settles all; the gas of every call."""
    with round_.market.recording() as receipts:
        round_.voted().settled()
        round_.claim_lot().send()
    gas = [(name, receipt.gas_used) for name, receipt in receipts]
    # Draws are taken back until the claimant is the round's: one of them is left.
    draws = [index for index, (name, _) in enumerate(gas) if name == "drawClaimant"]
    return [call for index, call in enumerate(gas) if index not in draws[:-1]]


@pytest.fixture(scope="module")
def quiet(deployment: Market) -> Gas:
    """Gas of a round without junk."""
    with untouched(deployment):
        return played(created(deployment, HONEST, MODELS))


@pytest.fixture(scope="module")
def flooded(deployment: Market, quiet: Gas) -> Iterator[tuple[LiveRound, list[Seat], Gas]]:
    """The same round, flooded before anybody else has joined; after `quiet`, which leaves no trace."""
    with untouched(deployment):
        round_ = created(deployment, HONEST, MODELS)
        junk = flood(round_)
        yield round_, junk, played(round_)


def test_flood__a_thousand_junk_joins__no_call_costs_anybody_more(
    quiet: Gas, flooded: tuple[LiveRound, list[Seat], Gas]
) -> None:
    _, _, gas = flooded
    assert [name for name, _ in gas] == [name for name, _ in quiet]
    dearer = [(name, q, g) for (name, q), (_, g) in zip(quiet, gas, strict=True) if g > q * (1 + DEARER_BY)]
    assert not dearer, f"calls that cost more beside the junk: {dearer}"


def test_flood__honest_members__are_paid_before_any_of_the_junk_is_settled(
    flooded: tuple[LiveRound, list[Seat], Gas],
) -> None:
    """All of them are settled and can withdraw, the lot is taken; what is left is the junk's locks and rounding."""
    round_, junk, _ = flooded
    market = round_.market
    assert {round_.stage(seat) for seat in round_.members} == {Stage.NONE, Stage.SETTLED}
    locks = sum(round_.lock(seat) for seat in junk)
    assert 0 <= round_.state.escrow - locks < len(round_.members), "a wei a member, of shares rounded up"
    assert market.held - round_.state.escrow == sum(market.free(seat.account) for seat in round_.members)


def test_flood__amounts_beside_the_junk__are_those_without_it(
    deployment: Market, flooded: tuple[LiveRound, list[Seat], Gas]
) -> None:
    round_, _, _ = flooded

    def settlements(of: LiveRound) -> list[dict[str, Any]]:
        values = [event.values for event in deployment.logs_of(of.id) if event.name == "MemberSettled"]
        return [{name: value for name, value in row.items() if name != "roundId"} for row in values]

    with deployment.chain.snapshot():
        alone = created(deployment, HONEST, MODELS)
        played(alone)
        assert settlements(alone) == settlements(round_)
        assert len(settlements(alone)) == 2 * HONEST


def test_flood__junk__is_released_by_anybody_in_calls_that_fit(
    flooded: tuple[LiveRound, list[Seat], Gas],
) -> None:
    round_, junk, _ = flooded
    market = round_.market
    with market.chain.snapshot():
        receipts = settle_junk(round_, junk)
        assert [len(receipt.events) for receipt in receipts] == [BATCH] * (JUNK // BATCH)
        free = market.views([("freeBalance", (seat.account,)) for seat in junk])
        assert free == [round_.lock(seat) for seat in junk]
        assert round_.state.escrow < len(round_.members)


def test_proposals__up_to_the_limit__one_more_is_refused_and_all_work(deployment: Market) -> None:
    """The list is full; what is on it can be bid for to the last, and its proposers are bound by their bonds."""
    with untouched(deployment):
        round_ = created(deployment, MOST_MODELS, MOST_MODELS).joined()
        deployment.chain.set_balance(LATE.account, FUNDS)
        round_.join(LATE).send()
        round_.propose(LATE).reverts_with("TooManyModels", maxModels=MOST_MODELS)
        junk_proposers = round_.owners[4:]
        round_.committed(but=junk_proposers).voted()
        assert (round_.state.live, round_.state.selected) == (0b1111, 3)
        escrow = round_.state.escrow
        round_.settle_many(junk_proposers).send()
        released = sum(round_.lock(seat) - round_.terms.bond for seat in junk_proposers)
        assert escrow - round_.state.escrow == released, "each leaves its bond behind"
        round_.settle(LATE, bids=round_.zeros).send()
        round_.settle_many([*round_.owners[:4], *round_.stations]).send()
        round_.claim_lot().send()
        kept = round_.state.escrow - round_.terms.bond * len(junk_proposers)
        assert 0 <= kept < 4 + len(round_.stations), "their bonds are kept, and what rounding leaves"
        assert_conserved(deployment)
