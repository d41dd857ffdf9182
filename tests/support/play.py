"""Plays on chain what the reference in `analysis` knows as facts."""

from collections.abc import Callable, Sequence

from analysis.devnode.actors import seats
from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.round_facts import Member, Round
from fl.market.terms import Deadlines, Policy, Role, RoundTerms, Status
from tests.conftest import OWNERS, PHASE_SECONDS, STATIONS

POLICIES = {"equal": Policy.EQUAL, "capability": Policy.CAPABILITY}
ENOUGH = 2**120  # wei: any lock, and more
MAX_ESCROW = 2**96 - 1  # wei that a round can hold


def fits(round_: Round) -> bool:
    """Whether one round can hold all these locks."""
    owners = sum(round_.owner_lock(owner) for owner in round_.owners)
    return owners + len(round_.stations) * round_.station_lock <= MAX_ESCROW


def play(market: Market, round_: Round, surplus_bps: tuple[int, int], threshold_bps: int) -> LiveRound:
    """Does on chain what the facts say, up to where settlement is open; theta is drawn from that range, 1/10,000."""
    policy = POLICIES[round_.owner_policy]
    terms = RoundTerms(
        max_owner_bid=round_.max_owner_bid,
        max_station_bid=round_.max_station_bid,
        bond=round_.bond,
        contribution_stake=round_.stake,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        owner_policy=policy,
        surplus_bps=surplus_bps if policy is Policy.EQUAL else (0, 0),
        threshold_bps=threshold_bps,
    )
    owners = _seats(market, Role.OWNER, OWNERS, round_.owners, len(round_.proposers))
    stations = _seats(market, Role.BASE_STATION, STATIONS, round_.stations, len(round_.proposers))
    claimant = None if round_.claimant is None else stations[round_.claimant]
    live = create_round(market, owners, stations, terms, proposers=round_.proposers, claimant=claimant)
    facts = facts_of(live, round_)

    def those(wanted: Callable[[Member], bool]) -> list[Seat]:
        return [seat for seat, member in facts.items() if wanted(member)]

    live.joined(global_rounds=round_.global_rounds).committed(but=those(lambda m: not m.committed))
    if claimant is None:
        market.chain.travel_to(terms.deadlines.draw if round_.can_be_held else terms.deadlines.commit)
        return live.over()
    live.drawn().revealed(but=those(lambda m: not m.revealed))
    if not round_.selected_in_time:
        return live.over().wait_for("select")
    live.selected()
    if Status(live.state.status) is not Status.TRAINING:
        return live.over()
    # The winner's own records move no money: it makes them in every other round.
    live.trained(recorded={seat: facts[seat].recorded for seat in stations}, guided=round_.global_rounds % 2 == 0)
    if not round_.reported:
        return live.aborted()
    listed = dict(zip(stations, round_.contributions, strict=False))
    live.reported({seat: points for seat, points in listed.items() if points is not None})
    return _voted(live, round_)


def _voted(live: LiveRound, round_: Round) -> LiveRound:
    """As few votes as it takes for a verdict, or one less; the last elector never votes where nobody needs it."""
    electors, claimed = live.electors, live.opening.claimed_accuracy_bps
    enough = live.terms.threshold_bps * len(electors) // 10_000 + 1
    punish, uphold = (enough if verdict else enough - 1 for verdict in (round_.punished, round_.upheld))
    votes = [live.vote(seat, 0 if i < punish else claimed, i < uphold) for i, seat in enumerate(electors)]
    live.market.send_all(votes[: max(punish, uphold)])
    return live.over().wait_for("vote")


def facts_of(live: LiveRound, round_: Round) -> dict[Seat, Member]:
    return dict(zip(live.members, (*round_.owners, *round_.stations), strict=True))


def _seats(market: Market, role: Role, names: Sequence[str], members: Sequence[Member], models: int) -> list[Seat]:
    seated = seats(market, role, names, [member.bids for member in members], [member.points for member in members])
    for seat in seated:
        market.chain.set_balance(seat.account, ENOUGH)
    return seated
