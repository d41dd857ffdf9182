"""A sealed bid as a file: what a wallet's page saves before the commitment is sent, and a journal gives and takes.

It holds all that opens the bid, so whoever reads it knows the bid: it is for its member alone.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from eth_utils import is_checksum_address

from fl.atomic import write_atomically
from fl.faults import Fault
from fl.market.bids import MAX_BID, MAX_MODELS, SealedBid
from fl.shallow_json import shallow_json

FORMAT = 1
MOST_BYTES = 100_000
_FIELDS = {"format", "chain_id", "contract", "round_id", "account", "models", "bids", "salt"}
_HASH = re.compile("0x[0-9a-f]{64}")
_SALT = re.compile("[0-9a-f]{64}")


class BidFileError(Fault):
    """A file that holds no sealed bid, or that of another."""


@dataclass(frozen=True)
class BidFile:
    """A sealed bid, and what it is for.

    Attributes:
        chain_id: of the chain that the contract is on.
        contract: address.
        round_id: of the crowdfunding round.
        account: whose bid it is.
        models: `models_digest` of the proposals that it is for, 32 bytes.
        sealed: bids and salt.
    """

    chain_id: int
    contract: str
    round_id: int
    account: str
    models: bytes
    sealed: SealedBid

    def to_bytes(self) -> bytes:
        """As JSON."""
        document = {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "contract": self.contract,
            "round_id": self.round_id,
            "account": self.account,
            "models": "0x" + self.models.hex(),
            "bids": list(self.sealed.bids),
            "salt": self.sealed.salt.hex(),
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            BidFileError: it is none.
        """
        found = _json(data)
        if not isinstance(found, dict) or set(found) != _FIELDS:
            raise BidFileError(f"this is no sealed bid: it must have {', '.join(sorted(_FIELDS))}, and nothing else")
        if found["format"] != FORMAT:
            raise BidFileError(f"this sealed bid has format {found['format']!r}, and {FORMAT} is read here")
        for name, is_form in (
            ("chain_id", _is_count),
            ("round_id", _is_count),
            ("contract", lambda each: isinstance(each, str) and is_checksum_address(each)),
            ("account", lambda each: isinstance(each, str) and is_checksum_address(each)),
            ("models", lambda each: isinstance(each, str) and _HASH.fullmatch(each)),
            ("bids", _are_bids),
            ("salt", lambda each: isinstance(each, str) and _SALT.fullmatch(each)),
        ):
            if not is_form(found[name]):
                raise BidFileError(f"{name} of this sealed bid is not as it has to be: the file is damaged")
        sealed = SealedBid(tuple(found["bids"]), bytes.fromhex(found["salt"]))
        whose = {name: found[name] for name in ("chain_id", "contract", "round_id", "account")}
        return cls(**whose, models=bytes.fromhex(found["models"][2:]), sealed=sealed)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, as `from_bytes` does."""
        try:
            with path.open("rb") as file:
                return cls.from_bytes(file.read(MOST_BYTES + 1))
        except OSError as error:
            raise BidFileError(f"{path}: {error.strerror}") from error
        except BidFileError as error:
            raise BidFileError(f"{path}: {error}") from error

    def write(self, path: Path) -> None:
        """Write a file that only its owner reads; on the disk when this returns.

        Raises:
            BidFileError: it is there already, or cannot be written.
        """
        if path.exists():
            raise BidFileError(f"{path} is there already: name another file, or move it away")
        try:
            write_atomically(path, self.to_bytes(), mode=0o600)
        except OSError as error:
            raise BidFileError(f"{path}: {error.strerror}") from error


def _json(data: bytes) -> Any:
    try:
        return shallow_json(data) if len(data) <= MOST_BYTES else None
    except ValueError:
        return None


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63


def _are_bids(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) <= MAX_MODELS
    return is_list and all(type(bid) is int and 0 <= bid <= MAX_BID for bid in value)
