"""Membership lists: who may join a round, on which side, with how many points."""

from dataclasses import dataclass
from functools import cached_property

from fl.market.merkle import MerkleTree, standard_leaf
from fl.market.terms import Role


@dataclass(frozen=True)
class Entry:
    """One line of a membership list.

    Attributes:
        account: address.
        role: the side it may join.
        points: its allocation points, 1 … 2^32 − 1; 1 unless its side's policy is capability.
    """

    account: str
    role: Role
    points: int = 1

    @property
    def leaf(self) -> bytes:
        """The entry's leaf, 32 bytes."""
        return standard_leaf(["address", "uint8", "uint32"], [self.account, int(self.role), self.points])


@dataclass(frozen=True)
class MembershipTree:
    """A membership list and its Merkle tree.

    Raises:
        ValueError: the list is empty.
    """

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise ValueError("a membership list needs at least one entry")

    @cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(tuple(entry.leaf for entry in self.entries))

    @property
    def root(self) -> bytes:
        """What the round names, 32 bytes."""
        return self._tree.root

    def proof(self, entry: Entry) -> list[bytes]:
        """What the member joins with.

        Raises:
            ValueError: the entry is not in the list.
        """
        if entry not in self.entries:
            raise ValueError(f"{entry} is not in the membership list")
        return self._tree.proof(entry.leaf)
