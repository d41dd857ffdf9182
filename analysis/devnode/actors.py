"""Accounts made up by name, and members with seats in a round."""

from collections.abc import Sequence

from eth_utils import keccak, to_checksum_address

from analysis.devnode.market import Market
from analysis.devnode.rounds import Seat
from fl.market.terms import Role

FUNDS = 10**30  # wei of each actor


def actor(name: str) -> str:
    """The account of that name; nobody knows its key."""
    return to_checksum_address(keccak(text=f"HCFL test actor {name}")[-20:])


def seats(
    market: Market,
    role: Role,
    names: Sequence[str],
    bids: Sequence[Sequence[int]],
    points: Sequence[int] | None,
) -> list[Seat]:
    """Members with these bids (gwei) and the first of these names; for more of them names are made up and funded."""
    members = []
    for index, row in enumerate(bids):
        name = names[index] if index < len(names) else f"{role.name.lower()} {index}"
        if index >= len(names):
            market.chain.set_balance(actor(name), FUNDS)
        members.append(Seat(name, actor(name), role, tuple(row), points[index] if points else 1))
    return members
