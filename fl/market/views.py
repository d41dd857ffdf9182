"""What a proposal tells each side, and how it is told: digests on chain, texts off chain, encrypted to each member.

Paper, section III-C.3: a proposal m(ω, M, acc, t, y) shows acc and y to the other owners, and ω, M and t to the base
stations.
"""

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

import ecies
from coincurve import PrivateKey
from eth_abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils import keccak

from fl.faults import Fault

SALT_BYTES = 32


class ViewError(Fault, ValueError):
    """A text, key or signature that does not belong to what it claims to."""


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _salt() -> str:
    return secrets.token_hex(SALT_BYTES)


@dataclass(frozen=True)
class OwnersView:
    """What owners may read of a proposal.

    Attributes:
        claimed_accuracy_bps: expected accuracy on the target labels, 1/10,000.
        targets: the target labels y.
        salt: 32 random bytes, hex; without it the few possible accuracies could be tried.
    """

    claimed_accuracy_bps: int
    targets: tuple[str, ...]
    salt: str = field(default_factory=_salt)

    @property
    def targets_digest(self) -> bytes:
        """keccak256 of the labels as canonical JSON, 32 bytes."""
        return keccak(_canonical({"targets": list(self.targets)}))

    @property
    def opening(self) -> tuple[int, bytes, bytes]:
        """What the winner's report opens the digest with (`IHCFL.Opening`)."""
        return (self.claimed_accuracy_bps, self.targets_digest, bytes.fromhex(self.salt))

    def digest(self, chain_id: int, contract: str, round_id: int, proposer: str) -> bytes:
        """As `IHCFL.ownersDigestOf`, 32 bytes; bound to the proposer, so a copied digest cannot be opened."""
        return keccak(
            encode(
                ["uint256", "address", "uint256", "address", "uint16", "bytes32", "bytes32"],
                [chain_id, contract, round_id, proposer, *self.opening],
            )
        )

    def to_bytes(self) -> bytes:
        """The text that is encrypted to every owner."""
        return _canonical(asdict(self))

    @classmethod
    def from_bytes(cls, text: bytes) -> "OwnersView":
        """Read a decrypted text."""
        document = json.loads(text)
        return cls(document["claimed_accuracy_bps"], tuple(document["targets"]), document["salt"])


@dataclass(frozen=True)
class StationsView:
    """What base stations may read of a proposal.

    Attributes:
        model: name of the architecture (the characteristics M).
        dataset: name of the data it is trained on.
        label_count: number of classes it tells apart; which ones is for owners only.
        parameters: number of trainable parameters (ω).
        training_rounds: global rounds t.
        local_epochs: κ1.
        edge_rounds: κ2.
        initial_model: digest of the model that training starts from, hex, or "" where the winner delivers it later.
        salt: 32 random bytes, hex.
    """

    model: str
    dataset: str
    label_count: int
    parameters: int
    training_rounds: int
    local_epochs: int
    edge_rounds: int
    initial_model: str = ""
    salt: str = field(default_factory=_salt)

    @property
    def digest(self) -> bytes:
        """keccak256 of the text, 32 bytes."""
        return keccak(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The text that is encrypted to every base station."""
        return _canonical(asdict(self))

    @classmethod
    def from_bytes(cls, text: bytes) -> "StationsView":
        """Read a decrypted text."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class KeyCard:
    """A member's public encryption key, signed by its account, so that nobody can put another key in its place.

    Attributes:
        account: address.
        public_key: uncompressed secp256k1 point, hex.
        signature: the account's signature (EIP-191) of `statement`, hex.
    """

    account: str
    public_key: str
    signature: str

    @staticmethod
    def statement(account: str, public_key: str) -> str:
        """The text that the account signs."""
        return f"HCFL: texts for {account} are encrypted to {public_key}"

    def verify(self) -> None:
        """Raise `ViewError` unless the account signed this key."""
        message = encode_defunct(text=self.statement(self.account, self.public_key))
        signer = Account.recover_message(message, signature=bytes.fromhex(self.signature))
        if signer != self.account:
            raise ViewError(f"the encryption key of {self.account} is signed by {signer}: ask the member for its own")


@dataclass(frozen=True)
class EncryptionKey:
    """A member's secp256k1 key for texts; apart from its account's, which need not leave its wallet."""

    secret: bytes

    @classmethod
    def generate(cls) -> "EncryptionKey":
        """A new random key."""
        return cls(PrivateKey().secret)

    @property
    def public_key(self) -> str:
        """Uncompressed, hex."""
        return PrivateKey(self.secret).public_key.format(compressed=False).hex()

    def open(self, envelope: bytes) -> bytes:
        """Decrypt a text that was encrypted to this key.

        Raises:
            ViewError: it was encrypted to another key, or damaged.
        """
        try:
            return ecies.decrypt(self.secret, envelope)
        except ValueError as error:
            raise ViewError("this text is encrypted to another key or damaged: ask its sender again") from error


def seal(card: KeyCard, text: bytes) -> bytes:
    """Encrypt a text to a member (ECIES over secp256k1, AES-256-GCM).

    Raises:
        ViewError: the card is not signed by the member.
    """
    card.verify()
    return ecies.encrypt(card.public_key, text)
