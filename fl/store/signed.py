"""Statements that members sign (EIP-712), so that nobody can speak for another or say an old thing again.

The domain is one deployment of the contract on one chain. As JSON a statement is canonical, its integers are decimal
strings.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data

from fl.store import canonical
from fl.store.errors import TooLarge, ViewError, shown

SIGNATURE_BYTES = 65
MOST_BYTES = 4096
"""Of a signed statement as JSON."""

_LENGTH_BYTES = 4
_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_NUMBER = re.compile(r"0|[1-9][0-9]{0,77}")
_WORD = re.compile(r"0x[0-9a-f]{64}")

Sign = Callable[[SignableMessage], bytes]
"""An account's signature, r, s and v in 65 bytes."""


@dataclass(frozen=True)
class Domain:
    """The deployment that a statement is made for.

    Attributes:
        chain_id: of the chain.
        contract: its address, checksummed.
    """

    chain_id: int
    contract: str

    @property
    def fields(self) -> dict[str, Any]:
        """The EIP-712 domain."""
        return {"name": "HCFL", "version": "2", "chainId": self.chain_id, "verifyingContract": self.contract}


@dataclass(frozen=True)
class Statement:
    """What is signed. Digests and roots are 0x and 64 lower-case hexadecimal digits, numbers 0 … 2^256 − 1.

    Raises:
        ViewError: a field is not of this form.
    """

    TYPE: ClassVar[str]

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type is int:
                if type(value) is not int or not 0 <= value < 2**256:
                    raise ViewError(f"{each.name} of a signed {self.TYPE} is {shown(value)}, no number below 2^256")
            elif not isinstance(value, str) or not _WORD.fullmatch(value):
                raise ViewError(f"{each.name} of a signed {self.TYPE} is {shown(value)}, not 32 bytes in hex")

    def message(self, domain: Domain) -> SignableMessage:
        """What an account signs."""
        types = [{"name": _camel(each.name), "type": _SOLIDITY[each.type]} for each in fields(self)]
        values = {_camel(each.name): _solidity(getattr(self, each.name)) for each in fields(self)}
        return encode_typed_data(domain.fields, {self.TYPE: types}, values)


@dataclass(frozen=True)
class UpdateStatement(Statement):
    """A base station's update of a global round: `Update(roundId, globalRound, digest, samples)`."""

    TYPE = "Update"

    round_id: int
    global_round: int
    digest: str
    samples: int


@dataclass(frozen=True)
class DeclarationStatement(Statement):
    """On how many images a base station trains, said once, before training: `Declaration(roundId, samples)`."""

    TYPE = "Declaration"

    round_id: int
    samples: int


@dataclass(frozen=True)
class OrderStatement(Statement):
    """What the winner delivers to base stations: `Order(roundId, digest)`."""

    TYPE = "Order"

    round_id: int
    digest: str


@dataclass(frozen=True)
class AggregationStatement(Statement):
    """What the winner says a global model was made of: `Aggregation(roundId, globalRound, digest)`."""

    TYPE = "Aggregation"

    round_id: int
    global_round: int
    digest: str


@dataclass(frozen=True)
class MembershipStatement(Statement):
    """A membership list by its maker: `Membership(root, digest)`."""

    TYPE = "Membership"

    root: str
    digest: str


_SOLIDITY: dict[object, str] = {int: "uint256", str: "bytes32"}
_STATEMENTS: dict[str, type[Statement]] = {
    each.TYPE: each
    for each in (UpdateStatement, DeclarationStatement, OrderStatement, AggregationStatement, MembershipStatement)
}


@dataclass(frozen=True)
class Signed:
    """A statement with a signature. Whose it is says `signer`.

    Attributes:
        statement: what was signed.
        signature: r, s and v, 65 bytes.
    """

    statement: Statement
    signature: bytes

    def signer(self, domain: Domain) -> str:
        """The account that signed this for a deployment, checksummed.

        Raises:
            ViewError: no account did.
        """
        return recover(self.statement.message(domain), self.signature)

    def verify(self, domain: Domain, account: str) -> None:
        """Check that an account signed this.

        Raises:
            ViewError: it did not.
        """
        if (signer := self.signer(domain)) != account:
            raise ViewError(f"this {self.statement.TYPE} is signed by {signer}, not by {account}")

    def to_bytes(self) -> bytes:
        """As canonical JSON."""
        values = {each.name: getattr(self.statement, each.name) for each in fields(self.statement)}
        message = {_camel(name): str(value) for name, value in values.items()}
        return canonical.encode({"type": self.statement.TYPE, "message": message, "signature": self.signature.hex()})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Signed":
        """Read a signed statement; who signed it is not looked at.

        Raises:
            ViewError: it is none.
        """
        document = canonical.decode(data, "signed statement", ("type", "message", "signature"), MOST_BYTES)
        kind, message = document["type"], document["message"]
        statement = _STATEMENTS.get(kind) if isinstance(kind, str) else None
        if statement is None:
            raise ViewError(f"no statement of this kind is signed: {shown(kind)}")
        if not isinstance(message, dict) or set(message) != {_camel(each.name) for each in fields(statement)}:
            raise ViewError(f"this is no message of a signed {kind}: {shown(message)}")
        values = {each.name: _value(message[_camel(each.name)], each.type) for each in fields(statement)}
        return cls(statement(**values), signature_of(document["signature"]))


def sign(statement: Statement, domain: Domain, signing: Sign) -> Signed:
    """Have an account sign a statement.

    Raises:
        ViewError: what it returned is no signature.
    """
    signed = Signed(statement, bytes(signing(statement.message(domain))))
    signed.signer(domain)
    return signed


def recover(message: SignableMessage, signature: bytes) -> str:
    """The account that signed a message, checksummed.

    A signature has a twin with a high s that anybody can work out; it is never accepted (EIP-2).

    Raises:
        ViewError: it is no signature of the message.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise ViewError(f"a signature has {SIGNATURE_BYTES} bytes, this one {len(signature)}")
    r, s = (int.from_bytes(signature[start : start + 32]) for start in (0, 32))
    if not 0 < r < _ORDER or not 0 < s <= _ORDER // 2 or signature[64] not in (27, 28):
        raise ViewError("this signature is none on secp256k1 with a low s and v of 27 or 28: sign again")
    try:
        return str(Account.recover_message(message, signature=signature))
    except Exception as error:  # of several libraries, where r is no point on the curve
        raise ViewError("this signature was made by no account: sign again") from error


def signature_of(text: object) -> bytes:
    """The bytes of a signature in hexadecimal, 65.

    Raises:
        ViewError: `text` is none.
    """
    if not isinstance(text, str) or not re.fullmatch(f"[0-9a-f]{{{2 * SIGNATURE_BYTES}}}", text):
        raise ViewError(f"{shown(text)} is no signature: {SIGNATURE_BYTES} bytes in lower-case hex")
    return bytes.fromhex(text)


def pack(signed: Signed, data: bytes = b"") -> bytes:
    """A statement and what it is about in one piece: the statement's length in 4 bytes, the statement, the data.

    Args:
        signed: the statement.
        data: whose SHA-256 it names as its digest; none where it names no digest.

    Raises:
        ViewError: the statement is not about this data.
    """
    _check_about(signed.statement, data)
    statement = signed.to_bytes()
    return b"".join((len(statement).to_bytes(_LENGTH_BYTES), statement, data))


def unpack(packed: bytes, most: int) -> tuple[Signed, bytes]:
    """The inverse of `pack`. Who signed the statement, and for which round, is for the caller to check.

    Args:
        packed: what anybody may have written.
        most: bytes that the data may have.

    Raises:
        TooLarge: it has more.
        ViewError: it begins with no signed statement, or one that is not about the data behind it.
    """
    length = int.from_bytes(packed[:_LENGTH_BYTES])
    start = _LENGTH_BYTES + length
    if len(packed) < start or length > MOST_BYTES:
        raise ViewError("this is no signed artefact: it does not begin with a statement")
    if len(packed) - start > most:
        raise TooLarge(f"a signed artefact of {len(packed) - start:,} bytes: at most {most:,} are read")
    signed, data = Signed.from_bytes(packed[_LENGTH_BYTES:start]), packed[start:]
    _check_about(signed.statement, data)
    return signed, data


def _check_about(statement: Statement, data: bytes) -> None:
    digest = getattr(statement, "digest", None)
    if digest is None and data:
        raise ViewError(f"behind a signed {statement.TYPE} there are {len(data):,} bytes that it does not speak of")
    if digest is not None and digest != (found := "0x" + hashlib.sha256(data).hexdigest()):
        raise ViewError(f"a signed {statement.TYPE} is about {digest}, and the data behind it hash to {found}")


def most_packed(most: int) -> int:
    """Bytes that a signed artefact has at most whose data have `most`."""
    return _LENGTH_BYTES + MOST_BYTES + most


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _solidity(value: int | str) -> int | bytes:
    return value if isinstance(value, int) else bytes.fromhex(value[2:])


def _value(text: object, kind: object) -> object:
    """A field as its statement has it."""
    if kind is not int:
        return text
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ViewError(f"a number of a signed statement is {shown(text)}, no decimal string")
    return int(text)
