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
THETA = 0x9E3779B97F4A7C15  # numerator of theta 0.618
MAX_OWNER_BID = 0xFFFF
MAX_BASE_BID = 0xFFFF
BOND = 2 * MAX_BASE_BID * GWEI

# Gwei, each with two bytes, none of them zero: calldata costs the same for every member and size of round.
VALUE, COST, SPREAD = 0x4444, 0x2222, 0x0333


@dataclass(frozen=True)
class Bids:
    """Every member's bids, gwei, one a model."""

    owners: tuple[tuple[int, ...], ...]
    stations: tuple[tuple[int, ...], ...]


def contested_bids(models: int, members: int) -> Bids:
    """Bids of a round that is decided by one gwei: about half of each side is pivotal and pays a tax, at any size.

    Models 0 and 1 are the favourites of every other member each; owner 0 bids one gwei more for model 0, which wins. A
    single model competes with "nothing is trained".

    Args:
        models: at least 1.
        members: a side, an even number.
    """
    if members % 2:
        raise ValueError(f"{members} members a side: both models must have as many friends")
    cost = COST if models > 1 else VALUE  # one model is worth a gwei more than it costs

    def row(member: int, average: int, liked: int) -> tuple[int, ...]:
        return tuple(average + (liked if model == member % 2 else -liked) for model in range(models))

    owners = [row(member, VALUE, SPREAD) for member in range(members)]
    owners[0] = (owners[0][0] + 1, *owners[0][1:])
    return Bids(tuple(owners), tuple(row(member, cost, -SPREAD) for member in range(members)))


def stage(
    market: Market,
    models: int,
    members: int,
    *,
    owner_policy: Policy = Policy.EQUAL,
    base_policy: Policy = Policy.EQUAL,
    rooted: bool = True,
    account_of: Callable[[str], str] = actor,
) -> LiveRound:
    """Create a round of so many members a side, contested, in which nobody has joined yet; all have ether.

    Args:
        market: the contract.
        models: proposed by the first owners, one each.
        members: a side, an even number, at least `models`.
        owner_policy: points are 3 … 9 under capability.
        base_policy: likewise.
        rooted: whether members prove themselves against a list of 2,048 lines.
        account_of: the account of a member by its name.
    """
    bids = contested_bids(models, members)

    def seat(role: Role, index: int, row: tuple[int, ...], policy: Policy) -> Seat:
        name = f"{role.name.lower()} {index}"
        return Seat(name, account_of(name), role, row, 3 + index % 7 if policy is Policy.CAPABILITY else 1)

    owners = [seat(Role.OWNER, index, row, owner_policy) for index, row in enumerate(bids.owners)]
    stations = [seat(Role.BASE_STATION, index, row, base_policy) for index, row in enumerate(bids.stations)]
    market.chain.raw_batch([("anvil_setBalance", (s.account, hex(FUNDS))) for s in (*owners, *stations)])
    strangers = [
        Entry(actor(f"stranger {index}"), Role.OWNER) for index in range(LISTED - 2 * members if rooted else 0)
    ]
    return create_round(
        market,
        owners,
        stations,
        terms(market, owner_policy, base_policy),
        proposers=range(models),
        theta=THETA,
        strangers=strangers,
        rooted=rooted,
    )


def terms(market: Market, owner_policy: Policy = Policy.EQUAL, base_policy: Policy = Policy.EQUAL) -> RoundTerms:
    """The terms of every round that is measured."""
    return RoundTerms(
        max_owner_bid=MAX_OWNER_BID,
        max_base_bid=MAX_BASE_BID,
        bond=BOND,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        owner_policy=owner_policy,
        base_policy=base_policy,
    )
