"""Whole rounds on chain, many side by side: every member does what the protocol asks, whatever it has claimed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.figures.draws import BOND
from analysis.figures.search import Row
from analysis.round_facts import Round
from analysis.settlement import settle_round
from fl.market.terms import Deadlines, Role, RoundTerms, Status

PHASE_SECONDS = 1_000_000  # more than all blocks of a batch take
Amounts: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Played:
    """What the chain says about a round; amounts are wei, by member, owners first.

    Attributes:
        selected: the model that was trained, None without one.
        payments: what the settlement took of the free balance and the lock or, negative, gave.
        taxes: as `MemberSettled` tells them.
        rebates: what `claimRebate` credited.
        in_training: what the round's escrow held while the model was trained: all locks.
        left: what the escrow holds once every rebate is claimed.
    """

    selected: int | None
    payments: Amounts
    taxes: Amounts
    rebates: Amounts
    in_training: int
    left: int


def play(market: Market, facts: Sequence[Round]) -> list[Played]:
    """Play these rounds to the last rebate, open and under equal policies; each has members of its own.

    Money is read off the chain: balances before and after, and the events of settlements.

    Args:
        market: on a node without limits whose clock stands still.
        facts: what is claimed. Every owner proposes a model, in their order; theta is put where the contract has drawn
            its own.
    """
    terms = RoundTerms(
        max_owner_bid=facts[0].max_owner_bid,
        max_base_bid=facts[0].max_station_bid,
        bond=BOND,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
    )
    first = market.view("roundCount")
    rounds = [_create(market, terms, claimed, f"round {first + index}") for index, claimed in enumerate(facts)]

    def everybody(calls: Callable[[LiveRound], Iterable[Call]]) -> None:
        market.send_together([call for round_ in rounds for call in calls(round_)])

    everybody(lambda r: map(r.join, r.members))
    for model in range(len(rounds[0].proposers)):
        everybody(lambda r, model=model: [r.propose(r.proposers[model])])  # type: ignore[misc]
    rounds[0].wait_for("join")
    everybody(lambda r: map(r.commit_bid, r.members))
    rounds[0].wait_for("commit")
    everybody(lambda r: map(r.reveal_bid, r.members))
    everybody(lambda r: [r.select()])
    states = [round_.state for round_ in rounds]
    selected = [state.selected if state.status == Status.TRAINING else None for state in states]
    trained = [round_ for round_, model in zip(rounds, selected, strict=True) if model is not None]
    winners = {r.id: r.proposers[model] for r, model in zip(rounds, selected, strict=True) if model is not None}
    _train(market, trained, winners)
    before = _free(market, rounds)
    taxes = [_settle(round_) for round_ in rounds]
    after = _free(market, rounds)
    everybody(lambda r: map(r.claim_rebate, r.members))
    claimed = _free(market, rounds)
    return [
        Played(
            selected=selected[index],
            payments=tuple(
                free + round_.lock(seat) - now
                for seat, free, now in zip(round_.members, before[index], after[index], strict=True)
            ),
            taxes=taxes[index],
            rebates=tuple(now - then for now, then in zip(claimed[index], after[index], strict=True)),
            in_training=states[index].escrow,
            left=round_.state.escrow,
        )
        for index, round_ in enumerate(rounds)
    ]


def agrees(played: Played, facts: Round) -> bool:
    """Whether all that the chain says is the reference's, to the wei."""
    result = settle_round(facts)
    dues = result.owners + result.stations
    return (
        played.selected == result.selected
        and played.payments == tuple(each.payment for each in dues)
        and played.taxes == tuple(each.tax for each in dues)
        and played.in_training == sum(each.lock for each in dues)
        and played.left == result.kept
    )


def _create(market: Market, terms: RoundTerms, claimed: Round, name: str) -> LiveRound:
    """A round with members of its own, who have ether; nobody has joined."""

    def seated(role: Role, rows: Sequence[Row]) -> list[Seat]:
        names = [f"{name} {role.name.lower()} {index}" for index in range(len(rows))]
        return [Seat(own, actor(own), role, row) for own, row in zip(names, rows, strict=True)]

    owners = seated(Role.OWNER, [owner.bids for owner in claimed.owners])
    stations = seated(Role.BASE_STATION, [station.bids for station in claimed.stations])
    market.chain.raw_batch([("anvil_setBalance", (seat.account, hex(FUNDS))) for seat in (*owners, *stations)])
    return create_round(
        market,
        owners,
        stations,
        terms,
        proposers=range(len(owners)),
        theta=claimed.theta_numerator,
        rooted=False,
    )


def _train(market: Market, rounds: Sequence[LiveRound], winners: Mapping[int, Seat]) -> None:
    """Every base station and the winner record once, the winner reports, the others vote against punishment."""
    market.send_together([r.record_update(seat) for r in rounds for seat in r.stations])
    market.send_together([r.record_global_round(winners[r.id]) for r in rounds])
    market.send_together([r.report_result(winners[r.id]) for r in rounds])
    market.send_together([r.vote(seat) for r in rounds for seat in r.owners if seat != winners[r.id]])


def _settle(round_: LiveRound) -> Amounts:
    """Settle everybody in one call; the taxes by member."""
    words = [word for seat in round_.members for word in seat.sealed.words]
    accounts = [seat.account for seat in round_.members]
    receipt = round_.call("settleMany", accounts, words, sender=round_.owners[0]).send()
    taxes = {event.values["member"]: event.values["tax"] for event in receipt.events if event.name == "MemberSettled"}
    return tuple(taxes[account] for account in accounts)


def _free(market: Market, rounds: Sequence[LiveRound]) -> list[Amounts]:
    """Free balances by round and member, wei."""
    return [tuple(market.views([("freeBalance", (seat.account,)) for seat in r.members])) for r in rounds]
