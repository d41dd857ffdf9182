"""Signed statements: whose they are, what they bind, and what anybody may send instead."""

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from fl.store import canonical
from fl.store.artefacts import digest_of
from fl.store.errors import TooLarge, ViewError
from fl.store.signed import (
    MOST_BYTES,
    DeclarationStatement,
    Domain,
    MembershipStatement,
    OrderStatement,
    Signed,
    Statement,
    UpdateStatement,
    most_packed,
    pack,
    sign,
    unpack,
)
from tests.fl.store.support import ALICE, BOB, CONTRACT, DOMAIN, signing

WORD = "0x" + "ab" * 32
STATEMENTS = (
    UpdateStatement(1, 0, WORD, 300),
    DeclarationStatement(1, 300),
    OrderStatement(1, WORD),
    MembershipStatement(WORD, "0x" + "cd" * 32),
)
SIGNED = sign(STATEMENTS[0], DOMAIN, signing(ALICE))

NUMBERS = st.integers(0, 2**256 - 1)
WORDS = st.binary(min_size=32, max_size=32).map(lambda word: "0x" + word.hex())
ANY = st.one_of(
    st.builds(UpdateStatement, NUMBERS, NUMBERS, WORDS, NUMBERS),
    st.builds(DeclarationStatement, NUMBERS, NUMBERS),
    st.builds(OrderStatement, NUMBERS, WORDS),
    st.builds(MembershipStatement, WORDS, WORDS),
)


@given(statement=ANY)
def test_statement__any__is_read_back_with_its_signer(statement: Statement) -> None:
    signed = sign(statement, DOMAIN, signing(ALICE))
    read = Signed.from_bytes(signed.to_bytes())
    assert (read, read.signer(DOMAIN)) == (signed, ALICE.address)
    assert len(signed.to_bytes()) < MOST_BYTES


@pytest.mark.parametrize(
    ("statement", "type_", "values"),
    [
        (
            STATEMENTS[0],
            "Update(uint256 roundId,uint256 globalRound,bytes32 digest,uint256 samples)",
            (["uint256", "uint256", "bytes32", "uint256"], [1, 0, bytes.fromhex("ab" * 32), 300]),
        ),
        (STATEMENTS[1], "Declaration(uint256 roundId,uint256 samples)", (["uint256", "uint256"], [1, 300])),
        (
            STATEMENTS[2],
            "Order(uint256 roundId,bytes32 digest)",
            (["uint256", "bytes32"], [1, bytes.fromhex("ab" * 32)]),
        ),
        (
            STATEMENTS[3],
            "Membership(bytes32 root,bytes32 digest)",
            (["bytes32", "bytes32"], [bytes.fromhex("ab" * 32), bytes.fromhex("cd" * 32)]),
        ),
    ],
)
def test_statement__what_is_signed__is_eip_712(
    statement: Statement, type_: str, values: tuple[list[str], list[Any]]
) -> None:
    """Worked out by hand, as a wallet does it."""
    names = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [keccak(text=names), keccak(text="HCFL"), keccak(text="2"), DOMAIN.chain_id, DOMAIN.contract],
        )
    )
    types, fields = values
    struct = keccak(encode(["bytes32", *types], [keccak(text=type_), *fields]))
    signature = Account.unsafe_sign_hash(keccak(b"\x19\x01" + domain + struct), ALICE.key).signature
    assert Signed(statement, bytes(signature)).signer(DOMAIN) == ALICE.address


CHANGED = [
    *(replace(STATEMENTS[0], **change) for change in ({"round_id": 2}, {"global_round": 1}, {"samples": 301})),
    replace(STATEMENTS[0], digest="0x" + "ac" * 32),
]


@pytest.mark.parametrize("statement", CHANGED, ids=repr)
def test_signer__of_another_statement__is_somebody_else(statement: Statement) -> None:
    with pytest.raises(ViewError, match=f"this Update is signed by .*, not by {ALICE.address}"):
        replace(SIGNED, statement=statement).verify(DOMAIN, ALICE.address)


@pytest.mark.parametrize("domain", [Domain(1, CONTRACT), Domain(DOMAIN.chain_id, BOB.address)])
def test_signer__for_another_deployment__is_somebody_else(domain: Domain) -> None:
    SIGNED.verify(DOMAIN, ALICE.address)
    with pytest.raises(ViewError, match="not by"):
        SIGNED.verify(domain, ALICE.address)


def test_sign__by_somebody_who_returns_no_signature__refused() -> None:
    for returned in (b"", bytes(64), bytes(65), bytes(66)):
        with pytest.raises(ViewError, match="signature"):
            sign(STATEMENTS[1], DOMAIN, lambda _, returned=returned: returned)  # type: ignore[misc]


# ── what anybody may send ──


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DeclarationStatement(1, -1), "samples of a signed Declaration is -1"),
        (lambda: DeclarationStatement(1, 2**256), "samples"),
        (lambda: DeclarationStatement(True, 1), "round_id"),
        (lambda: DeclarationStatement(1.0, 1), "round_id"),
        (lambda: OrderStatement(1, "ab" * 32), "digest of a signed Order"),
        (lambda: OrderStatement(1, "0x" + "AB" * 32), "digest"),
        (lambda: OrderStatement(1, bytes(32)), "digest"),
        (lambda: OrderStatement(1, WORD + "\n"), "digest"),
    ],
)
def test_statement__field_of_another_form__refused(make: Any, said: str) -> None:
    with pytest.raises(ViewError, match=said):
        make()


DOCUMENT = json.loads(SIGNED.to_bytes())


def edited(message: dict[str, Any] | None = None, **changes: Any) -> bytes:
    changed = {**DOCUMENT, **changes}
    if message is not None:
        changed["message"] = {**DOCUMENT["message"], **message}
    return canonical.encode(changed)


MALFORMED = {
    "nothing": b"",
    "no object": b"[]",
    "too long": b" " * (MOST_BYTES + 1),
    "deep": b"[" * 4_000,
    "spaces": json.dumps(DOCUMENT).encode(),
    "another kind": edited(type="Vote"),
    "kind a list": edited(type=["Update"]),
    "kind an object": edited(type={}),
    "kind of other fields": edited(type="Order"),
    "message a list": canonical.encode({**DOCUMENT, "message": []}),
    "message null": canonical.encode({**DOCUMENT, "message": None}),
    "a field more": edited({"more": "1"}),
    "samples a number": edited({"samples": 300}),
    "samples negative": edited({"samples": "-1"}),
    "samples of 10^30 digits, said so": edited({"samples": "1e30"}),
    "samples with zeros": edited({"samples": "0300"}),
    "samples too large": edited({"samples": str(2**256)}),
    "samples in another script": edited({"samples": "３"}),
    "samples null": edited({"samples": None}),
    "digest short": edited({"digest": "0xab"}),
    "digest a list": edited({"digest": [WORD]}),
    "no signature": edited(signature=None),
    "signature short": edited(signature="ab"),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_signed__malformed__refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ViewError) as refused:
        Signed.from_bytes(data)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


@given(st.binary(max_size=300))
def test_signed__any_bytes__refused_in_one_line(data: bytes) -> None:
    for read in (Signed.from_bytes, lambda packed: unpack(packed, 100)):
        with pytest.raises(ViewError) as refused:
            read(data)
        assert "\n" not in str(refused.value)


@given(signature=st.binary(min_size=60, max_size=70))
def test_signer__any_signature__is_an_account_or_refused(signature: bytes) -> None:
    try:
        signer = Signed(STATEMENTS[0], signature).signer(DOMAIN)
    except ViewError as error:
        assert "\n" not in str(error)
    else:
        assert signer != ALICE.address


# ── signed artefacts ──


def about(data: bytes) -> Signed:
    """Somebody's statement about an update; signatures are not looked at here."""
    return replace(SIGNED, statement=replace(STATEMENTS[0], digest=digest_of(data)))


@given(data=st.binary(max_size=1000))
def test_pack__any_data__is_read_back(data: bytes) -> None:
    signed = about(data)
    packed = pack(signed, data)
    assert unpack(packed, len(data)) == (signed, data)
    assert len(packed) <= most_packed(len(data))
    if data:
        with pytest.raises(TooLarge):
            unpack(packed, len(data) - 1)


@pytest.mark.parametrize("length", [0, MOST_BYTES + 1, 2**32 - 1])
def test_unpack__length_that_cannot_be__refused(length: int) -> None:
    packed = pack(about(b"data"), b"data")
    with pytest.raises(ViewError):
        unpack(length.to_bytes(4) + packed[4:], 1_000)


@given(st.integers(0, 300))
def test_unpack__cut_off__refused(length: int) -> None:
    with pytest.raises(ViewError):
        unpack(pack(about(b""), b"")[:length], 100)


def test_pack__statement_about_something_else__refused_by_both_sides() -> None:
    declared = sign(STATEMENTS[1], DOMAIN, signing(ALICE))
    assert unpack(pack(declared), 0) == (declared, b"")
    for signed, data, said in ((about(b"data"), b"Data", "is about 0x3a6e"), (declared, b"x", "does not speak of")):
        with pytest.raises(ViewError, match=said):
            pack(signed, data)
        statement = signed.to_bytes()
        with pytest.raises(ViewError, match=said):
            unpack(len(statement).to_bytes(4) + statement + data, 100)
