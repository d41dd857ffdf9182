"""OpenZeppelin's standard Merkle tree, over any tuples.

The layout is that of `@openzeppelin/merkle-tree`'s StandardMerkleTree, so either side can be made with that tool:
leaves are ``keccak(keccak(abi.encode(...)))``, sorted; the tree is a complete binary heap with the leaves at its end in
reverse; a node is the hash of its children in ascending order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_abi import encode
from eth_utils import keccak


def standard_leaf(types: Sequence[str], values: Sequence[object]) -> bytes:
    """The leaf of a tuple of ABI values, 32 bytes; hashed twice, so that no inner node can pass for one."""
    return keccak(keccak(encode(types, values)))


def _node(left: bytes, right: bytes) -> bytes:
    return keccak(min(left, right) + max(left, right))


@dataclass(frozen=True)
class MerkleTree:
    """A tree over leaves, in any order.

    Raises:
        ValueError: there is no leaf.
    """

    leaves: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not self.leaves:
            raise ValueError("a Merkle tree needs at least one leaf")

    @cached_property
    def _heap(self) -> list[bytes]:
        leaves = sorted(self.leaves)
        heap = [b""] * (2 * len(leaves) - 1)
        heap[len(leaves) - 1 :] = reversed(leaves)
        for i in range(len(leaves) - 2, -1, -1):
            heap[i] = _node(heap[2 * i + 1], heap[2 * i + 2])
        return heap

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self._heap[0]

    def proof(self, leaf: bytes) -> list[bytes]:
        """The sibling hashes from a leaf to the root.

        Raises:
            ValueError: the leaf is not in the tree.
        """
        first = len(self.leaves) - 1
        index = self._heap.index(leaf, first)
        path = []
        while index > 0:
            path.append(self._heap[index + 1 if index % 2 else index - 1])
            index = (index - 1) // 2
        return path


def updates_root(digests: Sequence[tuple[str, bytes]]) -> bytes:
    """The root over the (base station, update digest) pairs that a global model averages; 32 bytes, zero for none."""
    leaves = tuple(standard_leaf(["address", "bytes32"], pair) for pair in digests)
    return MerkleTree(leaves).root if leaves else bytes(32)
