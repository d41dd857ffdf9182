"""Whole rounds on chain, many side by side: every member does what the protocol asks, whatever it has claimed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, Seat, create_round, draw_together
from analysis.figures.search import Row
from analysis.mechanism import BASIS_POINTS, THETA_ONE, theta_numerator
from analysis.round_facts import Round
from analysis.settlement import settle_round
from fl.market.terms import DRAW_DELAY, Deadlines, Role, RoundTerms, Status

PHASE_SECONDS = 1_000_000  # more than all blocks of a batch take
Amounts: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Played:
    """What the chain says about a round; amounts are wei, by member, owners first.

    Attributes:
        selected: the model that was trained, None without one.
        payments: what the settlement took of the free balance and the lock or, negative, gave; without the lot.
        taxes: as `MemberSettled` tells them.
        lots: what `claimLot` credited: the claimant's alone is not 0.
        in_training: what the round's escrow held while the model was trained: all locks.
        kept: what stays in the contract once the lot is claimed.
    """

    selected: int | None
    payments: Amounts
    taxes: Amounts
    lots: Amounts
    in_training: int
    kept: int


def draw_theta(random: Random) -> int:
    """The numerator of a theta that a round can be bound to: a range of one point, any whole 1/10,000 but 1."""
    bps = random.randrange(BASIS_POINTS)
    return theta_numerator(bps, bps, 0, owners_weighted=False)


def bps_of(theta: int) -> int:
    """The point of that range, 1/10,000.

    Raises:
        ValueError: no round can be bound to it.
    """
    bps = -(-theta * BASIS_POINTS // THETA_ONE)
    if bps == BASIS_POINTS or theta_numerator(bps, bps, 0, owners_weighted=False) != theta:
        raise ValueError(f"theta {theta} / 2**64 is no whole 1/10,000: draw it by `draw_theta`")
    return bps


def play(market: Market, facts: Sequence[Round]) -> list[Played]:
    """Play these rounds until the lot is claimed, under the equal policy and without a stake.

    Each has members of its own. Money is read off the chain: balances before and after, and the events of settlements.

    Args:
        market: on a node without limits whose clock stands still.
        facts: what is claimed, alike in caps, bond and number of models; all members do their duties. Every owner
            proposes a model, in their order. Theta is a whole 1/10,000: `draw_theta`.
    """
    rounds = [
        _create(market, claimed, f"round {index}") for index, claimed in enumerate(facts, market.view("roundCount"))
    ]

    def everybody(calls: Callable[[LiveRound], Iterable[Call]]) -> None:
        market.send_together([call for round_ in rounds for call in calls(round_)])

    everybody(lambda r: map(r.join, r.members))
    for model in range(len(rounds[0].proposers)):
        everybody(lambda r, model=model: [r.propose(r.proposers[model], 1)])  # type: ignore[misc]
    rounds[0].wait_for("join")
    everybody(lambda r: map(r.commit_bid, r.members))
    rounds[0].wait_for("commit", DRAW_DELAY)
    draw_together({round_: round_.to_be_drawn for round_ in rounds})
    everybody(lambda r: [r.reveal_bid(seat) for seat in r.members if seat != r.to_be_drawn])
    everybody(lambda r: [r.select()])
    states = [round_.state for round_ in rounds]
    selected = [state.selected if state.status == Status.TRAINING else None for state in states]
    trained = [round_ for round_, model in zip(rounds, selected, strict=True) if model is not None]
    winners = {r.id: r.proposers[model] for r, model in zip(rounds, selected, strict=True) if model is not None}
    _train(market, trained, winners)
    before = _free(market, rounds)
    taxes = [_settle(round_) for round_ in rounds]
    settled = _free(market, rounds)
    everybody(lambda r: [r.claim_lot(r.to_be_drawn)])
    after = _free(market, rounds)
    return [
        Played(
            selected=selected[index],
            payments=tuple(
                free + round_.lock(seat) - now
                for seat, free, now in zip(round_.members, before[index], settled[index], strict=True)
            ),
            taxes=taxes[index],
            lots=tuple(now - then for now, then in zip(after[index], settled[index], strict=True)),
            in_training=states[index].escrow,
            kept=round_.state.escrow,
        )
        for index, round_ in enumerate(rounds)
    ]


def agrees(played: Played, facts: Round) -> bool:
    """Whether all that the chain says is the reference's, to the wei."""
    result = settle_round(facts)
    dues = result.owners + result.stations
    lots = [0] * len(dues)
    if facts.claimant is not None:
        lots[len(facts.owners) + facts.claimant] = result.lot
    return (
        played.selected == result.selected
        and played.payments == tuple(each.payment for each in dues)
        and played.taxes == tuple(each.tax for each in dues)
        and played.lots == tuple(lots)
        and played.in_training == sum(each.lock for each in dues)
        and played.kept == result.kept
    )


def _create(market: Market, claimed: Round, name: str) -> LiveRound:
    """A round with members of its own, who have ether; nobody has joined."""

    def seated(role: Role, rows: Sequence[Row]) -> list[Seat]:
        names = [f"{name} {role.name.lower()} {index}" for index in range(len(rows))]
        return [Seat(own, actor(own), role, row) for own, row in zip(names, rows, strict=True)]

    bps = bps_of(claimed.theta_numerator)
    terms = RoundTerms(
        max_owner_bid=claimed.max_owner_bid,
        max_station_bid=claimed.max_station_bid,
        bond=claimed.bond,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        surplus_bps=(bps, bps),
    )
    owners = seated(Role.OWNER, [owner.bids for owner in claimed.owners])
    stations = seated(Role.BASE_STATION, [station.bids for station in claimed.stations])
    market.chain.raw_batch([("anvil_setBalance", (seat.account, hex(FUNDS))) for seat in (*owners, *stations)])
    claimant = None if claimed.claimant is None else stations[claimed.claimant]
    return create_round(market, owners, stations, terms, proposers=range(len(owners)), claimant=claimant)


def _train(market: Market, rounds: Sequence[LiveRound], winners: Mapping[int, Seat]) -> None:
    """Every base station and the winner record the one global round, the winner reports, the others vote for it."""
    market.send_together([r.record_update(seat) for r in rounds for seat in r.stations])
    market.send_together([r.record_global_round(winners[r.id]) for r in rounds])
    market.send_together([r.report_result(winners[r.id]) for r in rounds])
    market.send_together([r.vote(seat) for r in rounds for seat in r.owners if seat != winners[r.id]])


def _settle(round_: LiveRound) -> Amounts:
    """Settle everybody in one call; the taxes by member."""
    receipt = round_.settle_many(round_.members).send()
    taxes = {event.values["member"]: event.values["tax"] for event in receipt.events if event.name == "MemberSettled"}
    return tuple(taxes[seat.account] for seat in round_.members)


def _free(market: Market, rounds: Sequence[LiveRound]) -> list[Amounts]:
    """Free balances by round and member, wei."""
    return [tuple(market.views([("freeBalance", (seat.account,)) for seat in r.members])) for r in rounds]
