"""A membership list as its maker hands it out: who may join, with which key, and the proof of each line, signed.

A member believes none of it: the root is worked out again, the cards and the maker's signature are verified, and the
round's door on chain says whether the list is that of the round (`RoundTerms.door`).
"""

import csv
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_utils import is_address, is_checksum_address, keccak, to_checksum_address

from fl.market.membership import Entry, MembershipTree
from fl.market.refusals import MarketError
from fl.market.terms import ROLES, Policy, Role
from fl.shallow_json import shallow_json
from fl.store import canonical
from fl.store.errors import StoreError, shown
from fl.store.keys import MOST_BYTES as MOST_CARD_BYTES
from fl.store.keys import KeyCard
from fl.store.signed import Domain, MembershipStatement, Sign, Signed, sign, signature_of

FORMAT = 1
MOST_BYTES = 2**26
"""Of a list: over 30,000 members."""

_WORDS = {role: word for word, role in ROLES.items()}
LEAST = {Role.OWNER: 2, Role.BASE_STATION: 3}
"""Fewer cannot hold a round."""

MOST_POINTS = 2**32 - 1
MOST_NAME = 100
_COLUMNS = ("account", "role", "points", "key_card", "name")
_NEEDED = ("account", "role", "key_card")
_LIST_FIELDS = {"format", "chain_id", "contract", "root", "maker", "signature", "members"}
_LINE_FIELDS = {"name", "account", "role", "points", "public_key", "card_signature", "proof"}


class MembershipError(MarketError):
    """A membership list that is not as it has to be."""


@dataclass(frozen=True)
class Listed:
    """A member of a list.

    Attributes:
        entry: what its proof is of.
        card: the key that texts for it are sealed to.
        name: how people call it; "" for nothing.
    """

    entry: Entry
    card: KeyCard
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the list has it, but for the proof."""
        return {
            "name": self.name,
            "account": self.entry.account,
            "role": _WORDS[self.entry.role],
            "points": self.entry.points,
            "public_key": self.card.public_key,
            "card_signature": self.card.signature,
        }


@dataclass(frozen=True)
class MembershipList:
    """A list for a deployment of the contract, signed by who made it.

    Attributes:
        domain: the deployment.
        members: in the maker's order.
        maker: account.
        signature: of `MembershipStatement`, 65 bytes.
    """

    domain: Domain
    members: tuple[Listed, ...]
    maker: str
    signature: bytes

    @classmethod
    def made(cls, domain: Domain, members: Sequence[Listed], maker: str, signing: Sign) -> "MembershipList":
        """Have an account sign a list.

        Raises:
            StoreError: what it returned is not its signature.
        """
        signed = sign(_statement(domain, members), domain, signing)
        signed.verify(domain, maker)
        return cls(domain, tuple(members), maker, signed.signature)

    @cached_property
    def tree(self) -> MembershipTree:
        """The Merkle tree over its entries."""
        return MembershipTree(tuple(each.entry for each in self.members))

    @cached_property
    def _by_account(self) -> Mapping[str, Listed]:
        return {each.entry.account: each for each in self.members}

    @property
    def root(self) -> bytes:
        """What a round names, 32 bytes."""
        return self.tree.root

    def find(self, account: str) -> Listed | None:
        """A member by its account; None: it is not listed."""
        return self._by_account.get(account)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """How people call each member, by account."""
        return {each.entry.account: each.name for each in self.members}

    def line(self, account: str) -> dict[str, Any] | None:
        """A member as the file has it, with its proof; None: it is not listed."""
        found = self.find(account)
        if found is None:
            return None
        return {**found.to_json(), "proof": ["0x" + node.hex() for node in self.tree.proof(found.entry)]}

    def side(self, role: Role) -> tuple[Listed, ...]:
        """The members of a side."""
        return tuple(each for each in self.members if each.entry.role is role)

    def cards(self, role: Role) -> tuple[KeyCard, ...]:
        """The key cards of a side: whom its texts are sealed to."""
        return tuple(each.card for each in self.side(role))

    def verify(self, domain: Domain, maker: str | None = None) -> None:
        """Check what does not follow from the list itself; its form, root, proofs and cards `from_bytes` has checked.

        Args:
            domain: the deployment that it has to be for.
            maker: the account that has to have made it; None: whichever it names.

        Raises:
            MembershipError: it is for another deployment, or of another maker.
            StoreError: it is not signed by the maker that it names.
        """
        if self.domain != domain:
            raise MembershipError(
                f"the membership list is for {self.domain.contract} on chain {self.domain.chain_id}, "
                f"not for {domain.contract} on chain {domain.chain_id}: ask its maker for the right one"
            )
        if maker is not None and self.maker != maker:
            raise MembershipError(f"the membership list was made by {self.maker}, not by {maker}")
        Signed(_statement(self.domain, self.members), self.signature).verify(domain, self.maker)

    def to_bytes(self) -> bytes:
        """As JSON, with each member's proof."""
        document = {
            "format": FORMAT,
            "chain_id": self.domain.chain_id,
            "contract": self.domain.contract,
            "root": "0x" + self.root.hex(),
            "maker": self.maker,
            "signature": self.signature.hex(),
            "members": [self.line(each.entry.account) for each in self.members],
        }
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> "MembershipList":
        """Read a list that anybody may have written: its form, its root, every proof and every card are checked.

        Raises:
            MembershipError: it is none, or a part of it does not belong to the rest.
            StoreError: a card is not signed by its member.
        """
        document = _object(_json(data), _LIST_FIELDS, "the membership list")
        if document["format"] != FORMAT:
            raise MembershipError(
                f"the membership list has format {shown(document['format'])}, and {FORMAT} is read here"
            )
        chain_id, contract, maker = document["chain_id"], document["contract"], document["maker"]
        if type(chain_id) is not int or not 0 < chain_id < 2**63:
            raise MembershipError(f"chain_id of the membership list is {shown(chain_id)}")
        for key, value in (("contract", contract), ("maker", maker)):
            if not isinstance(value, str) or not is_checksum_address(value):
                raise MembershipError(f"{key} of the membership list is {shown(value)}, no checksummed address")
        if not isinstance(document["members"], list):
            raise MembershipError("members of the membership list is no list")
        lines = [_object(each, _LINE_FIELDS, f"member {i}") for i, each in enumerate(document["members"], 1)]
        if not lines:
            raise MembershipError("the membership list is empty")
        members = tuple(_listed(line, f"member {i}") for i, line in enumerate(lines, 1))
        _check_together(members, [f"member {i}" for i in range(1, len(members) + 1)])
        read = cls(Domain(chain_id, contract), members, maker, signature_of(document["signature"]))
        if document["root"] != "0x" + read.root.hex():
            raise MembershipError("the root of the membership list is not that of its members: ask its maker for it")
        for i, (line, member) in enumerate(zip(lines, members, strict=True), 1):
            if line["proof"] != ["0x" + node.hex() for node in read.tree.proof(member.entry)]:
                raise MembershipError(f"the proof of member {i} of the membership list does not lead to its root")
        return read

    @classmethod
    def read(cls, path: Path) -> "MembershipList":
        """Read a file, as `from_bytes` does."""
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise MembershipError(f"{path}: {error.strerror}") from error
        try:
            return cls.from_bytes(data)
        except (MembershipError, StoreError) as error:
            raise MembershipError(f"{path}: {error}") from error


def read_csv(path: Path, policy: Policy) -> tuple[Listed, ...]:
    """The lines of a maker's table: `account, role, points, key_card, name`, of which points and name may be missing.

    Args:
        path: of the table; a key card is named by its path from there, or stands in its place.
        policy: under Capability owners may have other points than 1.

    Raises:
        MembershipError: a line is not as it has to be; its number is told.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(file, path))
    except OSError as error:
        raise MembershipError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise MembershipError(f"{path} is no table of comma-separated values: {error}") from error
    members = tuple(_line(row, where, path.parent, policy) for where, row in rows)
    _check_together(members, [where for where, _ in rows])
    for role, least in LEAST.items():
        count = sum(each.entry.role is role for each in members)
        if count < least:
            raise MembershipError(
                f"{path} lists {count} with the role {_WORDS[role]}: with fewer than {least} no round is held"
            )
    return members


def _rows(file: Any, path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.reader(file, strict=True, skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    for name in header:
        if name not in _COLUMNS:
            near = difflib.get_close_matches(name, _COLUMNS, n=1)
            instead = f"did you mean {near[0]}?" if near else f"known are {', '.join(_COLUMNS)}"
            raise MembershipError(f"{path}:1: there is no column {name!r}; {instead}")
        if header.count(name) > 1:
            raise MembershipError(f"{path}:1: the column {name} is there twice")
    for name in _NEEDED:
        if name not in header:
            raise MembershipError(f"{path}:1: the column {name} is missing; the first line names the columns")
    for row in reader:
        where = f"{path}:{reader.line_num}"
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise MembershipError(f"{where}: {len(row)} cells, and the first line has {len(header)} columns")
        yield where, dict(zip(header, (cell.strip() for cell in row), strict=True))


def _line(row: Mapping[str, str], where: str, folder: Path, policy: Policy) -> Listed:
    account, words = row["account"], row["role"]
    if not is_address(account):
        raise MembershipError(f"{where}: account is {account!r} and must be an address, 0x and 40 hexadecimal digits")
    if not is_checksum_address(account):
        raise MembershipError(
            f"{where}: account is {account}, whose capitals are no checksum: is it {to_checksum_address(account)}?"
        )
    if words not in ROLES:
        raise MembershipError(f"{where}: role is {words!r} and must be {' or '.join(ROLES)}")
    points = _points(row.get("points") or "1", ROLES[words], policy, where)
    card = _card(row["key_card"], folder, where)
    if card.account != account:
        raise MembershipError(f"{where}: the key card is that of {card.account}, not of {account}")
    _check_name(name := row.get("name", ""), f"{where}: name")
    return Listed(Entry(account, ROLES[words], points), card, name)


def _points(cell: str, role: Role, policy: Policy, where: str) -> int:
    if role is Role.BASE_STATION or policy is Policy.EQUAL:
        if cell != "1":
            who = "base stations always weigh the same" if role is Role.BASE_STATION else "owners share equally"
            raise MembershipError(f"{where}: points is {cell!r} and must be 1: {who}")
        return 1
    if not (cell.isascii() and cell.isdecimal()) or not 1 <= int(cell) <= MOST_POINTS:
        raise MembershipError(f"{where}: points is {cell!r} and must be 1 … {MOST_POINTS:,}")
    return int(cell)


def _check_name(name: object, what: str) -> None:
    """It is shown in terminals in place of its account, and begins what an alert's command is given."""
    is_one = isinstance(name, str) and name.isprintable() and len(name) <= MOST_NAME and not name.startswith("-")
    if not is_one or is_address(name):
        raise MembershipError(f"{what} is {shown(name)} and must be a word or a few, at most {MOST_NAME} characters")


def _card(cell: str, folder: Path, where: str) -> KeyCard:
    if not cell:
        raise MembershipError(f"{where}: key_card is empty and must be the path of a card, or a card")
    try:
        if cell.startswith("{"):
            data = cell.encode()
        else:
            with (folder / cell).open("rb") as file:
                data = file.read(MOST_CARD_BYTES + 1)
        return KeyCard.from_bytes(data.strip())
    except OSError as error:
        raise MembershipError(f"{where}: key_card {folder / cell}: {error.strerror}") from error
    except StoreError as error:
        raise MembershipError(f"{where}: key_card: {error}") from error


def _check_together(members: Sequence[Listed], places: Sequence[str]) -> None:
    """No account, key or name is there twice."""
    for what, values in (
        ("account", [each.entry.account for each in members]),
        ("key", [each.card.public_key for each in members]),
        ("name", [each.name for each in members]),
    ):
        first: dict[str, str] = {}
        for value, place in zip(values, places, strict=True):
            if value and value in first:
                raise MembershipError(f"{place}: the {what} {value} is there already: {first[value]}")
            first[value] = place


def _statement(domain: Domain, members: Sequence[Listed]) -> MembershipStatement:
    """What the maker signs: the root, and a digest of all lines with their keys and names."""
    lines = canonical.encode({"members": [each.to_json() for each in members]})
    root = MembershipTree(tuple(each.entry for each in members)).root
    return MembershipStatement(root="0x" + root.hex(), digest="0x" + keccak(lines).hex())


def _json(data: bytes) -> Any:
    if len(data) > MOST_BYTES:
        raise MembershipError(f"a membership list has at most {MOST_BYTES:,} bytes")
    try:
        return shallow_json(data)
    except ValueError as error:
        raise MembershipError("this is no membership list: no JSON") from error


def _object(value: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        raise MembershipError(f"{what} must have {', '.join(sorted(names))}, and nothing else")
    return value


def _listed(line: Mapping[str, Any], what: str) -> Listed:
    account, words, points, name = (line[key] for key in ("account", "role", "points", "name"))
    if not isinstance(words, str) or words not in ROLES:
        raise MembershipError(f"role of {what} is {shown(words)}")
    if type(points) is not int or not 1 <= points <= (MOST_POINTS if words == "owner" else 1):
        raise MembershipError(f"points of {what} are {shown(points)}")
    _check_name(name, f"name of {what}")
    card = KeyCard(account, line["public_key"], line["card_signature"])
    card.verify()
    return Listed(Entry(account, ROLES[words], points), card, name)
