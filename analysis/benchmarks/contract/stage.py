"""Rounds to measure: bids that make members pay taxes, rounds of any size."""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat, create_round
from fl.market.membership import Entry
from fl.market.terms import GWEI, Deadlines, Policy, Role, RoundTerms

LISTED = 2**11  # lines of the membership list: every proof has 11 hashes
PHASE_SECONDS = 86_400
THETA_BPS = (6_180, 6_180)  # a range of one point: theta is 0.618
MAX_OWNER_BID = 0xFFFF
MAX_STATION_BID = 0xFFFF
BOND = 2 * MAX_STATION_BID * GWEI

# Gwei, each with two bytes, none of them zero: calldata costs the same for every member and size of round.
VALUE, COST, SPREAD = 0x4444, 0x2222, 0x0333


@dataclass(frozen=True)
class Bids:
    """Every member's bids, gwei, one a model."""

    owners: tuple[tuple[int, ...], ...]
    stations: tuple[tuple[int, ...], ...]


def contested_bids(models: int, members: int) -> Bids:
    """Bids of a round that is decided by one gwei: about half of each side is pivotal and pays a tax, at any size.

    Models 0 and 1 are the favourites of every other member each; owner 0 bids one gwei more for model 0, which wins.
    The last base station but one will be the claimant, whose bids do not count, so the last one has no favourite. A
    single model competes with "nothing is trained".

    Args:
        models: at least 1.
        members: a side, an even number, at least 4.
    """
    if members % 2 or members < 4:
        raise ValueError(f"{members} members a side: both models must have as many friends, and some")
    cost = COST if models > 1 else VALUE  # one model is worth a gwei more than it costs

    def row(member: int, average: int, liked: int) -> tuple[int, ...]:
        return tuple(average + (liked if model == member % 2 else -liked) for model in range(models))

    owners = [row(member, VALUE, SPREAD) for member in range(members)]
    owners[0] = (owners[0][0] + 1, *owners[0][1:])
    stations = [row(member, cost, -SPREAD) for member in range(members - 1)]
    return Bids(tuple(owners), (*stations, (cost,) * models))


def stage(
    market: Market,
    models: int,
    members: int,
    *,
    owner_policy: Policy = Policy.EQUAL,
    account_of: Callable[[str], str] = actor,
) -> LiveRound:
    """Create a round of so many members a side, contested, in which nobody has joined yet; all have ether.

    Members prove themselves against a list of 2,048 lines.

    Args:
        market: the contract.
        models: proposed by the first owners, one each.
        members: a side, an even number, at least `models` and 4.
        owner_policy: owners' points are 3 … 9 under capability.
        account_of: the account of a member by its name.
    """
    bids = contested_bids(models, members)

    def seat(role: Role, index: int, row: tuple[int, ...]) -> Seat:
        name = f"{role.name.lower()} {index}"
        weighted = role is Role.OWNER and owner_policy is Policy.CAPABILITY
        return Seat(name, account_of(name), role, row, 3 + index % 7 if weighted else 1)

    owners = [seat(Role.OWNER, index, row) for index, row in enumerate(bids.owners)]
    stations = [seat(Role.BASE_STATION, index, row) for index, row in enumerate(bids.stations)]
    market.chain.raw_batch([("anvil_setBalance", (s.account, hex(FUNDS))) for s in (*owners, *stations)])
    return create_round(
        market,
        owners,
        stations,
        terms(market, owner_policy),
        proposers=range(models),
        strangers=[Entry(actor(f"stranger {index}"), Role.OWNER) for index in range(LISTED - 2 * members)],
        claimant=stations[-2],
    )


def words_of(round_: LiveRound, seat: Seat) -> list[int]:
    """The packed bids that settle a member where all but the claimant have revealed; to look it up costs a request."""
    return round_.zeros if seat == round_.to_be_drawn else seat.sealed.words


def terms(market: Market, owner_policy: Policy = Policy.EQUAL) -> RoundTerms:
    """The terms of every round that is measured."""
    return RoundTerms(
        max_owner_bid=MAX_OWNER_BID,
        max_station_bid=MAX_STATION_BID,
        bond=BOND,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        owner_policy=owner_policy,
        surplus_bps=THETA_BPS if owner_policy is Policy.EQUAL else (0, 0),
    )
