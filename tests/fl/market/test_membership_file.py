"""Membership lists in a file: a table is read strictly, and a list that somebody hands out is not believed."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.market.membership import Entry
from fl.market.membership_file import Listed, MembershipError, MembershipList, read_csv
from fl.market.terms import Policy, Role
from fl.store.errors import StoreError
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import Domain

DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
NAMES = ("alice", "bob", "north", "south", "east")
ROLES = ("owner", "owner", "base station", "base station", "base station")


def signing(account: LocalAccount) -> Callable[[SignableMessage], bytes]:
    return lambda message: bytes(account.sign_message(message).signature)


def account_of(name: str) -> LocalAccount:
    found: LocalAccount = Account.from_key(name.encode().rjust(32, b"\1"))
    return found


def card_of(name: str) -> KeyCard:
    account = account_of(name)
    return KeyCard.signed(account.address, EncryptionKey(name.encode().rjust(32, b"\2")), signing(account))


CARDS = {name: card_of(name) for name in (*NAMES, "mallory")}
MAKER = account_of("maker")

Table = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """A table with a card beside it for each member; lines can be replaced by their number in the file."""
    for name, card in CARDS.items():
        (tmp_path / f"{name}.json").write_bytes(card.to_bytes() + b"\n")

    def table(lines: dict[int, str] | None = None, points: str = "1") -> Path:
        rows = [f"{n}, {CARDS[n].account}, {r}, {points}, {n}.json" for n, r in zip(NAMES, ROLES, strict=True)]
        text = ["name, account, role, points, key_card", *rows]
        for number, line in (lines or {}).items():
            text[number - 1 : number] = [line]
        path = tmp_path / "members.csv"
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return path

    return table


def made(table: Table) -> MembershipList:
    return MembershipList.made(DOMAIN, read_csv(table(), Policy.EQUAL), MAKER.address, signing(MAKER))


def test_list__made_and_read__is_the_same_and_verifies(table: Table) -> None:
    made_here = made(table)
    read = MembershipList.from_bytes(made_here.to_bytes())
    assert read == made_here
    read.verify(DOMAIN, MAKER.address)
    assert [each.name for each in read.members] == list(NAMES)
    assert read.cards(Role.OWNER) == (CARDS["alice"], CARDS["bob"])
    for name in NAMES:
        found = read.find(CARDS[name].account)
        assert found is not None
        assert found.name == name
    assert read.find(CARDS["mallory"].account) is None


def test_table__card_in_its_place__the_same_list(table: Table) -> None:
    cell = '"' + CARDS["alice"].to_bytes().decode().replace('"', '""') + '"'
    line = f"alice, {CARDS['alice'].account}, owner, 1, {cell}"
    assert read_csv(table({2: line}), Policy.EQUAL) == read_csv(table(), Policy.EQUAL)


def test_table__needed_columns_alone_in_any_order__points_are_1(table: Table, tmp_path: Path) -> None:
    rows = [f"{role},{name}.json,{CARDS[name].account}" for name, role in zip(NAMES, ROLES, strict=True)]
    path = tmp_path / "short.csv"
    path.write_text("\ufeffrole,key_card,account\r\n" + "\r\n\r\n".join(rows), encoding="utf-8")
    table()
    read = read_csv(path, Policy.EQUAL)
    assert [each.entry for each in read] == [each.entry for each in read_csv(table(), Policy.EQUAL)]
    assert {each.name for each in read} == {""}


A, B, N = (CARDS[name].account for name in ("alice", "bob", "north"))


@pytest.mark.parametrize(
    ("number", "line", "said"),
    [
        (2, f"alice, {A[:-1]}, owner, 1, alice.json", f"members.csv:2: account is '{A[:-1]}' and must be an address"),
        (2, f"alice, {A.lower()}, owner, 1, alice.json", f"members.csv:2: account is {A.lower()}, whose capitals are"),
        (2, f"alice, {A}, Owner, 1, alice.json", "members.csv:2: role is 'Owner' and must be owner or base station"),
        (2, f"alice, {A}, owner, 0, alice.json", "members.csv:2: points is '0' and must be 1: owners share equally"),
        (4, f"north, {N}, base station, 2, north.json", "members.csv:4: points is '2' and must be 1: base stations"),
        (3, f"bob, {A}, owner, 1, alice.json", f"members.csv:3: the account {A} is there already: "),
        (3, f"alice, {B}, owner, 1, bob.json", "members.csv:3: the name alice is there already: "),
        (3, f"bob, {B}, owner, 1, alice.json", f"members.csv:3: the key card is that of {A}, not of {B}"),
        (3, f"bob, {B}, owner, 1, nobody.json", "nobody.json: No such file"),
        (3, f"bob, {B}, owner, 1,", "members.csv:3: key_card is empty"),
        (3, f"bob, {B}, owner, 1, members.csv", "members.csv:3: key_card: this key card is no JSON"),
        (3, f"bob, {B}, owner, bob.json", "members.csv:3: 4 cells, and the first line has 5 columns"),
        (3, f'bob, {B}, owner, 1, "bob.json', "members.csv is no table of comma-separated values"),
        (1, "name, account, roll, points, key_card", "members.csv:1: there is no column 'roll'; did you mean role?"),
        (1, "name, account, role, role, key_card", "members.csv:1: the column role is there twice"),
        (1, "name, account, points, key_card", "members.csv:1: the column role is missing"),
        (1, "", "members.csv:1: the column account is missing"),
        (3, "", "members.csv lists 1 with the role owner: with fewer than 2 no round is held"),
        (6, "", "members.csv lists 2 with the role base station: with fewer than 3 no"),
    ],
)
def test_table__one_line_wrong__its_number_and_why(table: Table, number: int, line: str, said: str) -> None:
    with pytest.raises(MembershipError, match=re.escape(said)):
        read_csv(table({number: line}), Policy.EQUAL)


@pytest.mark.parametrize("points", ["2", "4294967295"])
def test_table__capability__owners_have_points(table: Table, points: str) -> None:
    lines = {
        n: f"{name}, {CARDS[name].account}, owner, {points}, {name}.json" for n, name in ((2, "alice"), (3, "bob"))
    }
    assert [each.entry.points for each in read_csv(table(lines), Policy.CAPABILITY)][:2] == [int(points)] * 2


@pytest.mark.parametrize("points", ["0", "-1", "4294967296", "1.5", "many", "²"])
def test_table__capability__points_out_of_range__refused(table: Table, points: str) -> None:
    line = f"alice, {A}, owner, {points}, alice.json"
    with pytest.raises(MembershipError, match=r"members.csv:2: points is '.*' and must be 1 … 4,294,967,295"):
        read_csv(table({2: line}), Policy.CAPABILITY)


def test_table__one_key_for_two__refused(table: Table, tmp_path: Path) -> None:
    bob = account_of("bob")
    stolen = KeyCard.signed(bob.address, EncryptionKey(b"alice".rjust(32, b"\2")), signing(bob))
    path = table()
    (tmp_path / "bob.json").write_bytes(stolen.to_bytes())
    with pytest.raises(MembershipError, match=r"members.csv:3: the key 04.* is there already: .*members.csv:2"):
        read_csv(path, Policy.EQUAL)


# ── a list that somebody hands out ──


def altered(data: bytes, path: tuple[Any, ...], value: object) -> bytes:
    document = json.loads(data)
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    assert json.dumps(inside[path[-1]]) != json.dumps(value), "this changes nothing"
    inside[path[-1]] = value
    return json.dumps(document).encode()


M = CARDS["mallory"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("format",), 2, "has format 2"),
        (("chain_id",), 0, "chain_id of the membership list is 0"),
        (("chain_id",), True, "chain_id of the membership list is True"),
        (("contract",), DOMAIN.contract.lower(), "contract of the membership list"),
        (("maker",), None, "maker of the membership list is None"),
        (("root",), "0x" + "00" * 32, "the root of the membership list is not that of its members"),
        (("signature",), "00" * 65, "no account|is none on secp256k1"),
        (("signature",), 5, "is no signature"),
        (("members",), [], "is empty"),
        (("members",), {}, "members of the membership list is no list"),
        (("members", 0), 7, "member 1 must have account, card_signature, name"),
        (("members", 0, "role"), "base station", "the root of the membership list is not"),
        (("members", 0, "role"), [], r"role of member 1 is \[\]"),
        (("members", 0, "points"), 2, "the root of the membership list is not"),
        (("members", 0, "points"), 1.0, "points of member 1 are 1.0"),
        (("members", 2, "points"), 2, "points of member 3 are 2"),
        (("members", 0, "name"), None, "name of member 1 is None"),
        (("members", 0, "account"), M.account, "is signed by"),
        (("members", 0, "account"), "0x12", "no checksummed address"),
        (("members", 0, "public_key"), M.public_key, "is signed by"),
        (("members", 0, "card_signature"), M.signature, "is signed by"),
        (("members", 0, "proof"), [], "the proof of member 1 of the membership list does not lead to its root"),
        (("members", 0, "name"), "carol", "this Membership is signed by"),
    ],
)
def test_list__one_thing_altered__refused(table: Table, path: tuple[Any, ...], value: object, said: str) -> None:
    with pytest.raises((MembershipError, StoreError), match=said) as refusal:
        MembershipList.from_bytes(altered(made(table).to_bytes(), path, value)).verify(DOMAIN)
    assert "\n" not in str(refusal.value)


NO_NAMES = ["--exec", "\x1b[2Jalice", "alice\u202e", "a\nb", "x" * 101, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_list__name_that_could_pass_for_something_else__refused(table: Table, name: str) -> None:
    """It is shown in place of the account: a terminal must not obey it, nor a person take it for another's address."""
    members = list(read_csv(table(), Policy.EQUAL))
    members[1] = replace(members[1], name=name)
    signed = MembershipList.made(DOMAIN, members, MAKER.address, signing(MAKER))
    with pytest.raises(MembershipError, match=r"name of member 2 is .* and must be a word or a few") as refused:
        MembershipList.from_bytes(signed.to_bytes())
    assert str(refused.value).isprintable() and len(str(refused.value)) < 200
    with pytest.raises(MembershipError, match=r"members.csv:\d+: name is .* and must be a word or a few"):
        quoted = f'"{name}", {CARDS["bob"].account}, owner, 1, bob.json'
        read_csv(table({3: quoted}), Policy.EQUAL)


def test_list__one_member_listed_twice__refused(table: Table) -> None:
    document = json.loads(made(table).to_bytes())
    document["members"].append(document["members"][0])
    with pytest.raises(MembershipError, match=f"member 6: the account {A} is there already: member 1"):
        MembershipList.from_bytes(json.dumps(document).encode())


def test_list__another_key_of_the_same_member__is_not_what_the_maker_signed(table: Table) -> None:
    """Root and cards fit: only the maker's signature holds the keys to the list."""
    original = made(table)
    account = account_of("alice")
    newer = KeyCard.signed(account.address, EncryptionKey(b"\7" * 32), signing(account))
    swapped = replace(original, members=(replace(original.members[0], card=newer), *original.members[1:]))
    read = MembershipList.from_bytes(swapped.to_bytes())
    assert read.root == original.root
    with pytest.raises(StoreError, match="this Membership is signed by"):
        read.verify(DOMAIN)


def test_list__for_another_deployment_or_of_another_maker__refused(table: Table) -> None:
    read = made(table)
    for domain in (replace(DOMAIN, chain_id=1), replace(DOMAIN, contract=M.account)):
        with pytest.raises(MembershipError, match=f"the membership list is for {DOMAIN.contract} on chain 31337"):
            read.verify(domain)
        with pytest.raises(StoreError, match="this Membership is signed by"):
            replace(read, domain=domain).verify(domain)
    with pytest.raises(MembershipError, match=f"was made by {MAKER.address}, not by {A}"):
        read.verify(DOMAIN, A)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b"7", b"{}", b'{"members": NaN}'])
def test_list__no_list__refused_in_a_line(data: bytes) -> None:
    with pytest.raises(MembershipError) as refusal:
        MembershipList.from_bytes(data)
    assert "\n" not in str(refusal.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=40)
@given(data=st.data())
def test_list__any_value_anywhere__one_kind_of_error_or_the_same_list(data: st.DataObject) -> None:
    """Whatever a maker's file holds in place of a value, its reader sees it or a Fault, never another list."""
    original = LISTED
    document = json.loads(original)
    member = data.draw(st.integers(-1, len(document["members"]) - 1))
    inside = document if member < 0 else document["members"][member]
    inside[data.draw(st.sampled_from(sorted(inside)))] = data.draw(json_values)
    try:
        read = MembershipList.from_bytes(json.dumps(document).encode())
        read.verify(DOMAIN)
    except (MembershipError, StoreError) as error:
        assert "\n" not in str(error)
    else:
        assert read.to_bytes() == original


def _listed() -> bytes:
    members = [
        Listed(Entry(CARDS[name].account, Role.OWNER if role == "owner" else Role.BASE_STATION), CARDS[name], name)
        for name, role in zip(NAMES, ROLES, strict=True)
    ]
    return MembershipList.made(DOMAIN, members, MAKER.address, signing(MAKER)).to_bytes()


LISTED = _listed()
