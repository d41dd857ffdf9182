"""What an audit of the first version found: each test states what holds now, net of every flow.

Every round is played on the node, with the smallest caps and bonds that showed the fault. On the first version each
of these failed (commit df35622).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest

from analysis.devnode.actors import actor
from analysis.devnode.chain import Reverted
from analysis.devnode.codec import Codec
from analysis.devnode.market import Market
from analysis.devnode.rounds import POINTS, CreateRound, LiveRound, Seat
from analysis.devnode.sources import compile_contract
from fl.market.deployment import abi_of
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms, Status
from tests.support.utility import gains, utilities

STATION_CAP = 10  # gwei
SMALLEST_BOND = STATION_CAP * GWEI
SMALLEST: Mapping[str, Any] = {"max_station_bid": STATION_CAP, "bond": SMALLEST_BOND}
COSTS = ((8, 2), (1, 4), (1, 4))  # with the default values bob wins with model 1; east is the claimant
PHASE_SECONDS = 300


def in_gwei(amounts: Mapping[str, int]) -> dict[str, float]:
    """Amounts of wei as a failure shows them."""
    return {name: round(wei / GWEI, 2) for name, wei in amounts.items()}


def finished(round_: LiveRound, contributions: Mapping[Seat, int] | None = None) -> LiveRound:
    """Played to the settlement, whether something is worth training or not."""
    if round_.selected().state.status == Status.NOTHING_TRAINED:
        return round_.over()
    return round_.reported(contributions).voted()


# ── bids ──


def test_last_to_reveal__silent_after_it_has_read_the_sums__gains_nothing(create_round: CreateRound) -> None:
    """Alice, bob and carol want model 0 or 1 in turn; without one of them the other two are pivotal."""
    values, costs = ((90, 10), (0, 100), (100, 0)), ((3, 4), (1, 1), (1, 8))
    told = utilities(finished(create_round(values, costs, **SMALLEST)))
    gained = {}
    for place, name in enumerate(told):
        round_ = create_round(values, costs, **SMALLEST).drawn()
        if round_.members[place] == round_.claimant:
            continue  # it has no bid to withhold
        round_.revealed(but=[round_.members[place]])
        gained[name] = utilities(finished(round_))[name] - told[name]
    assert max(gained.values()) <= 0, f"gwei gained by silence, each alone: {in_gwei(gained)}"


def test_owner__lies_to_make_the_others_pivotal__gains_nothing(create_round: CreateRound) -> None:
    """Model 0 is selected either way: bob can claim what he likes of model 1, which nobody else wants much."""
    true, lie, costs = ((90, 0), (70, 0), (90, 50)), ((90, 0), (0, 100), (90, 50)), ((10, 0), (10, 1), (9, 0))
    told = utilities(finished(create_round(true, costs, **SMALLEST)))["bob"]
    lied = utilities(finished(create_round(lie, costs, **SMALLEST)), truth={"bob": true[1]})["bob"]
    assert lied <= told, f"bob has {lied / GWEI:.2f} gwei by his lie, {told / GWEI:.2f} by the truth"


def test_station__claims_no_cost_where_it_contributes_most__gains_nothing(create_round: CreateRound) -> None:
    """North's points bring it 4 gwei of the others' stakes: of a cost of 6 it bids the other 2. V = 10 is enough."""
    truth = {"north": (6,)}
    gained = [utilities(contributed(create_round, claim=claim), truth)["north"] for claim in range(STATION_CAP + 1)]
    assert max(gained) <= gained[2], f"north has, by its claim: {[round(float(wei) / GWEI, 2) for wei in gained]}"
    assert min(gained) < gained[2], "no claim changes anything"


def contributed(create_round: CreateRound, claim: int) -> LiveRound:
    """North claims that; its updates are worth three times those of another."""
    round_ = create_round(
        ((10,), (0,)), ((claim,), (3,), (7,)), proposers=(0,), contribution_stake=5 * GWEI, **SMALLEST
    )
    return finished(round_, dict(zip(round_.stations, (600_000, 200_000, 200_000), strict=True)))


def test_capability__more_points__no_smaller_share(create_round: CreateRound) -> None:
    round_ = finished(
        create_round(
            ((100,), (4,), (4,), (4,)),
            ((5,), (5,), (10,)),
            owner_points=(27, 1, 1, 1),
            proposers=(0,),
            owner_policy=Policy.CAPABILITY,
            **SMALLEST,
        )
    )
    with round_.market.chain.snapshot():
        settled = round_.settled()
    heavy, *light = [settled[owner].event("MemberSettled")["share"] for owner in round_.owners]
    assert heavy >= max(light), f"27 points pay {heavy / GWEI:.2f} gwei, 1 point {max(light) / GWEI:.2f}"


# ── winners, electors, stations ──


@pytest.mark.parametrize("ending", ["aborts", "is punished"])
def test_winner__silent_and_then_at_fault__costs_its_side_the_bond(create_round: CreateRound, ending: str) -> None:
    """Owners that act as one win with a model that alice proposed, for which the stations were to train for nothing."""
    round_ = create_round(((0,), (5,), (5,)), ((2,),) * 3, proposers=(0,), **SMALLEST).drawn()
    round_.revealed(but=round_.owners[:1]).trained()
    if ending == "aborts":
        round_.aborted()
    else:
        round_.voted(punish=round_.electors)
    gained = gains(round_)
    lost = -sum(gained[owner.name] for owner in round_.owners)
    assert lost >= SMALLEST_BOND, f"the owners together lose {lost / GWEI:.2f} gwei: {in_gwei(gained)}"


@pytest.mark.parametrize("voices", ["one of two", "all"])
def test_winner__zeroes_two_stations_for_its_accomplice__gains_nothing(create_round: CreateRound, voices: str) -> None:
    """Bob wins, north is his accomplice, and alice votes for them. If all do, two stations lose bonds, to nobody."""
    gang, costs = ("alice", "bob", "north", *(["carol"] if voices == "all" else [])), (*COSTS, COSTS[1])
    honest = utilities(finished(create_round(station_bids=costs, **SMALLEST)))
    round_ = create_round(station_bids=costs, **SMALLEST).trained()
    round_.reported(dict(zip(round_.stations, (POINTS // 2, POINTS // 2, 0, 0), strict=True)))
    robbing = utilities(round_.voted(reject=() if voices == "all" else round_.owners[2:]))
    have, had = (sum(each[name] for name in gang) for each in (robbing, honest))
    assert have <= had, f"they have {have / GWEI:.2f} gwei, {had / GWEI:.2f} if they are honest"
    lost = honest["east"] - robbing["east"]
    assert lost == (SMALLEST_BOND if voices == "all" else 0), "one voice of two zeroes nobody"


@pytest.mark.parametrize("others", ["object", "uphold"])
def test_contributions__half_of_the_electors_silent__do_not_stand(create_round: CreateRound, others: str) -> None:
    """Four electors of whom two vote: not more than half of all of them are for it, whatever these say."""
    five = ((30, 20), (30, 10), (12, 60), (0, 0), (0, 0))
    unlisted = utilities(finished(create_round(five, COSTS, **SMALLEST)))["east"]
    round_ = create_round(five, COSTS, **SMALLEST).trained()
    round_.reported(dict(zip(round_.stations, (POINTS // 2, POINTS // 2, 0), strict=True)))
    for elector in round_.electors[:2]:
        round_.vote(elector, uphold=others == "uphold").send()
    listed = utilities(round_.over().wait_for("vote"))["east"]
    assert listed == unlisted, f"east has {listed / GWEI:.2f} gwei, {unlisted / GWEI:.2f} if it is not listed"


def test_station__records_one_global_round_of_256__earns_no_more_than_that_part(create_round: CreateRound) -> None:
    """South and east have bid the same. South records all of them, east one."""
    round_ = create_round(station_bids=(*COSTS, COSTS[0]), **SMALLEST).joined(global_rounds=256).selected()
    gained = gains(round_.trained(recorded={round_.stations[2]: 1}).voted())
    assert gained["east"] * 256 <= gained["south"], f"gwei for one of 256, and for all: {in_gwei(gained)}"


# ── locks and terms ──


def test_round_that_cannot_be_held__proposers_absent__nobody_gains_or_loses(create_round: CreateRound) -> None:
    """Four owners propose; dave alone commits, whether the others would not or could not."""
    round_ = create_round(((20,) * 4,) * 4, ((5,) * 4,) * 3, proposers=range(4), **SMALLEST).joined()
    round_.committed(but=round_.owners[:3]).wait_for("commit")
    gained = gains(round_)
    assert not any(gained.values()), f"gwei gained in a round that never was: {in_gwei(gained)}"


def test_join__another_round_swapped_in_front_of_it__locks_nothing(
    market: Market, create_round: CreateRound, stranger: str
) -> None:
    """A reorganisation: the round that alice has read is gone, and another has its number. The lock is the same."""
    with market.chain.snapshot():
        read = create_round(max_owner_bid=100, **SMALLEST)
        joining = read.join(read.owners[0])
        joining.send()
    other = replace(read.terms, max_owner_bid=10, bond=190 * GWEI)
    market.call("createRound", other.encode(), read.tree.root, sender=stranger).send()
    with suppress(Reverted):
        joining.send()
    assert market.held == 0, (
        f"{market.held / GWEI} gwei are locked: bond {other.bond / GWEI}, she read one of {read.terms.bond / GWEI}"
    )


def test_member_that_never_committed__commits_closed__is_released(create_round: CreateRound) -> None:
    round_ = create_round(((30, 20), (30, 10), (12, 60), (1, 1)), COSTS, **SMALLEST).joined()
    dave = round_.owners[3]
    round_.committed(but=[dave]).wait_for("commit")
    with suppress(Reverted):
        round_.settle(dave, bids=round_.zeros).send()
    free, lock = round_.market.free(dave.account), round_.lock(dave)
    assert free == lock, f"{free / GWEI} gwei of {lock / GWEI} are free while the others go on"


def test_creator__takes_rounds_back_until_theta_suits_it__does_not_choose_theta(
    market: Market, create_round: CreateRound, compiled: Any
) -> None:
    """Five rounds for each of which it wants a theta below 1/16: by chance that comes once in a million times."""
    limit = 2**60
    grinder = ThetaGrinder(market, compiled)
    thetas = [grinder.created_below(create_round(surplus_bps=(0, 9_999)), limit) for _ in range(5)]
    assert max(thetas) >= limit, f"all below 1/16: {[round(theta / 2**64, 3) for theta in thetas]}"


class ThetaGrinder:
    """The contract of `contracts/test/attackers/ThetaGrinder.sol`, called once a block."""

    TRIES = 1_000  # with a part of 1/16 more are needed once in 10^28 times

    def __init__(self, market: Market, compiled: Any) -> None:
        attacker = compile_contract("contracts/test/attackers/ThetaGrinder.sol")
        self._market = market
        self._own = Market(market.chain, actor("grinder"), Codec([*abi_of(compiled), *attacker.abi]))
        market.chain.set_code(self._own.address, attacker.runtime)

    def created_below(self, like: LiveRound, limit: int) -> int:
        """The numerator of theta of a round that it has kept, with the terms and the members of another."""
        before: int = self._market.view("roundCount")
        arguments = (self._market.address, like.terms.encode(), like.tree.root, limit)
        for _ in range(self.TRIES):
            with suppress(Reverted):
                self._own.call("createBelow", *arguments, sender=actor("stranger")).send()
                break
        else:
            raise RuntimeError(f"no theta below {limit} / 2^64 in {self.TRIES} blocks")
        kept = LiveRound(
            self._market, before + 1, like.terms, like.owners, like.stations, like.proposers, like.tree, like.opening
        )
        theta: int = kept.drawn().state.thetaNumerator
        return theta


def terms_with(deadlines: Deadlines) -> RoundTerms:
    """Terms that are accepted if the deadlines are."""
    return RoundTerms(max_owner_bid=100, max_station_bid=STATION_CAP, bond=SMALLEST_BOND, deadlines=deadlines)


@pytest.mark.parametrize("phase", range(7), ids=["join", "commit", "reveal", "select", "train", "report", "vote"])
def test_create_round__phase_of_a_second__refused(market: Market, stranger: str, phase: int) -> None:
    """Blocks come every twelve seconds or so: nobody may have one to call in, and the silent lose their bonds."""
    created = []
    for seconds in (1, PHASE_SECONDS):
        lengths = [PHASE_SECONDS] * 7
        lengths[phase] = seconds
        _, *times = accumulate(lengths, initial=market.chain.now)
        before = market.view("roundCount")
        with suppress(Reverted):
            market.call("createRound", terms_with(Deadlines(*times)).encode(), b"\x11" * 32, sender=stranger).send()
        if market.view("roundCount") > before:
            created.append(seconds)
    assert created == [PHASE_SECONDS], f"created with a phase of {created} seconds"
