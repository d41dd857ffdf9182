"""Bid vectors: packed as the contract takes them, and sealed by a commitment.

The layout is that of `contracts/Lanes.sol`: four 64-bit lanes a word, lane 0 of word 0 empty, the bid for model m in
lane ``(m + 1) % 4`` of word ``(m + 1) // 4``.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_abi import encode
from eth_utils import keccak

LANE_BITS = 64
LANES = 4
MAX_BID = 2**44 - 1
MAX_MODELS = 64


def word_count(models: int) -> int:
    """Words of a packed vector of bids for that many models."""
    return models // LANES + 1


def pack_bids(bids: Sequence[int]) -> list[int]:
    """Pack one bid per model (gwei) into words.

    Raises:
        ValueError: a bid does not fit its lane (0 … 2^44 − 1), or there are more than 64.
    """
    if len(bids) > MAX_MODELS:
        raise ValueError(f"{len(bids)} bids, but a round has at most {MAX_MODELS} models")
    words = [0] * word_count(len(bids))
    for model, bid in enumerate(bids):
        if not 0 <= bid <= MAX_BID:
            raise ValueError(f"bid {bid} gwei for model {model} is outside 0 … {MAX_BID}")
        word, lane = divmod(model + 1, LANES)
        words[word] |= bid << (LANE_BITS * lane)
    return words


def unpack_bids(words: Sequence[int], models: int) -> list[int]:
    """The inverse of `pack_bids` for that many models."""
    mask = (1 << LANE_BITS) - 1
    places = (divmod(model + 1, LANES) for model in range(models))
    return [(words[word] >> (LANE_BITS * lane)) & mask for word, lane in places]


def commitment_of(chain_id: int, contract: str, round_id: int, member: str, words: Sequence[int], salt: bytes) -> bytes:
    """`keccak256(abi.encode(chainid, contract, roundId, member, bids, salt))`, 32 bytes, as `IHCFL.commitmentOf`."""
    return keccak(
        encode(
            ["uint256", "address", "uint256", "address", "uint256[]", "bytes32"],
            [chain_id, contract, round_id, member, list(words), salt],
        )
    )


@dataclass(frozen=True)
class SealedBid:
    """A member's bids and the salt that seals them; whoever loses the salt loses the bond.

    Attributes:
        bids: one a model, gwei.
        salt: 32 random bytes.
    """

    bids: tuple[int, ...]
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        if len(self.salt) != 32:
            raise ValueError(f"a salt has 32 bytes, this one {len(self.salt)}")
        pack_bids(self.bids)

    @property
    def words(self) -> list[int]:
        """The packed bids."""
        return pack_bids(self.bids)

    def commitment(self, chain_id: int, contract: str, round_id: int, member: str) -> bytes:
        """What the member sends to `commitBid`; 32 bytes."""
        return commitment_of(chain_id, contract, round_id, member, self.words, self.salt)
