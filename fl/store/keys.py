"""Encryption keys, and the signed cards that tell others which is whose."""

import re
from dataclasses import asdict, dataclass, field, fields

import ecies
from coincurve import PrivateKey, PublicKey
from eth_account.messages import encode_defunct
from eth_utils import is_checksum_address

from fl.store import canonical
from fl.store.errors import ViewError, shown
from fl.store.signed import Sign, recover, signature_of

MOST_BYTES = 1024
"""Of a key card as JSON; one has less than 500."""

_POINT = re.compile(r"04[0-9a-f]{128}")


@dataclass(frozen=True)
class EncryptionKey:
    """A member's secp256k1 key for what is sealed to it; apart from its account's, which need not leave its wallet.

    Attributes:
        secret: 32 bytes.

    Raises:
        ViewError: `secret` is no key.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        try:
            if len(self.secret) != 32:
                raise ValueError
            PrivateKey(self.secret)
        except ValueError:
            raise ViewError("an encryption key is 32 bytes, not 0 and below the order of secp256k1") from None

    @classmethod
    def generate(cls) -> "EncryptionKey":
        """A new random key."""
        return cls(PrivateKey().secret)

    @property
    def public_key(self) -> str:
        """Uncompressed, hex."""
        return PrivateKey(self.secret).public_key.format(compressed=False).hex()

    def open(self, envelope: bytes) -> bytes:
        """Decrypt what was encrypted to this key (ECIES over secp256k1, AES-256-GCM).

        Raises:
            ViewError: it was encrypted to another key, or damaged.
        """
        try:
            return ecies.decrypt(self.secret, envelope)
        except Exception as error:  # of several libraries: no point, no tag, no nonce
            raise ViewError("this is encrypted to another key or damaged: ask its sender again") from error


@dataclass(frozen=True)
class KeyCard:
    """A member's public encryption key, signed by its account, so that nobody can put another key in its place.

    Attributes:
        account: address, checksummed.
        public_key: uncompressed secp256k1 point, lower-case hex.
        signature: the account's signature (EIP-191) of `statement`, lower-case hex.

    Raises:
        ViewError: a field is not of this form; whether the account signed it, `verify` says.
    """

    account: str
    public_key: str
    signature: str

    def __post_init__(self) -> None:
        if not isinstance(self.account, str) or not is_checksum_address(self.account):
            raise ViewError(f"a key card names {shown(self.account)}, which is no checksummed address")
        if not isinstance(self.public_key, str) or not _POINT.fullmatch(self.public_key):
            raise ViewError(
                f"the encryption key of {self.account} is {shown(self.public_key)}: 04 and 128 lower-case hex digits"
            )
        try:
            PublicKey(bytes.fromhex(self.public_key))
        except ValueError:
            raise ViewError(f"the encryption key of {self.account} is no point on secp256k1") from None
        signature_of(self.signature)

    @staticmethod
    def statement(account: str, public_key: str) -> str:
        """The text that the account signs."""
        return f"HCFL: texts for {account} are encrypted to {public_key}"

    @classmethod
    def signed(cls, account: str, key: EncryptionKey, signing: Sign) -> "KeyCard":
        """Have an account sign the card of a key.

        Raises:
            ViewError: what it returned is not its signature.
        """
        message = encode_defunct(text=cls.statement(account, key.public_key))
        card = cls(account, key.public_key, bytes(signing(message)).hex())
        card.verify()
        return card

    def verify(self) -> None:
        """Check that the account signed this key.

        Raises:
            ViewError: it did not.
        """
        message = encode_defunct(text=self.statement(self.account, self.public_key))
        if (signer := recover(message, signature_of(self.signature))) != self.account:
            raise ViewError(f"the encryption key of {self.account} is signed by {signer}: ask the member for its own")

    def to_bytes(self) -> bytes:
        """As canonical JSON."""
        return canonical.encode(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> "KeyCard":
        """Read a card that anybody may have written, and check its signature.

        Raises:
            ViewError: it is none, or not signed by the account that it names.
        """
        card = cls(**canonical.decode(data, "key card", [each.name for each in fields(cls)], MOST_BYTES))
        card.verify()
        return card
