"""Key cards: what an account signed and nothing else, whoever wrote them."""

import json
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from fl.store import canonical
from fl.store.errors import ViewError
from fl.store.keys import MOST_BYTES, EncryptionKey, KeyCard
from tests.fl.store.support import ALICE, BOB, card_of, signing

KEY = EncryptionKey.generate()
CARD = card_of(ALICE, KEY)
DOCUMENT = json.loads(CARD.to_bytes())
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_card__signed_by_its_account__is_read_back() -> None:
    assert KeyCard.signed(ALICE.address, KEY, signing(ALICE)) == CARD
    assert KeyCard.from_bytes(CARD.to_bytes()) == CARD


@given(st.binary(min_size=32, max_size=32).filter(lambda secret: 0 < int.from_bytes(secret) < ORDER))
def test_card__of_any_key_and_account__is_small_enough_to_be_read(secret: bytes) -> None:
    account = Account.from_key(secret)
    card = KeyCard.signed(account.address, EncryptionKey(secret), signing(account))
    assert len(card.to_bytes()) < MOST_BYTES
    assert KeyCard.from_bytes(card.to_bytes()) == card


def test_card__signed_by_another__is_not_made() -> None:
    with pytest.raises(ViewError, match=f"of {ALICE.address} is signed by {BOB.address}: ask the member for its own"):
        KeyCard.signed(ALICE.address, KEY, signing(BOB))


def edited(**changes: Any) -> bytes:
    return canonical.encode({**DOCUMENT, **changes})


def high_s() -> str:
    """The twin that anybody can work out of a signature."""
    r, s, v = CARD.signature[:64], int(CARD.signature[64:128], 16), int(CARD.signature[128:], 16)
    return f"{r}{ORDER - s:064x}{55 - v:02x}"


MALFORMED = {
    "nothing": (b"", "no JSON"),
    "no JSON": (b"{", "no JSON"),
    "cut off": (CARD.to_bytes()[:-1], "no JSON"),
    "a list": (b"[]", "no object"),
    "a number": (b"1", "no object"),
    "null": (b"null", "no object"),
    "no fields": (b"{}", "has the fields"),
    "deep": (b"[" * 1_000, "brackets"),
    "deep objects": (b'{"a":' * 200, "brackets"),
    "huge": (CARD.to_bytes() + b" " * 10_000, "at most 1,024"),
    "NaN": (CARD.to_bytes().replace(b'"' + ALICE.address.encode() + b'"', b"NaN"), "NaN is no integer"),
    "a fraction": (CARD.to_bytes().replace(b'"' + ALICE.address.encode() + b'"', b"1.5"), "1.5 is no integer"),
    "Latin-1": (CARD.to_bytes().replace(b"0x", b"\xe9x"), "no JSON"),
    "with a mark of the byte order": (b"\xef\xbb\xbf" + CARD.to_bytes(), "no JSON"),
    "a field twice": (b'{"account":"x",' + CARD.to_bytes()[1:], "canonical"),
    "spaces": (json.dumps(DOCUMENT).encode(), "canonical"),
    "a field more": (edited(more=1), "has the fields"),
    "no signature": (canonical.encode({name: DOCUMENT[name] for name in ("account", "public_key")}), "has the fields"),
    "account a number": (edited(account=5), "no checksummed address"),
    "account in lower case": (edited(account=ALICE.address.lower()), "no checksummed address"),
    "account of another length": (edited(account=ALICE.address + "00"), "no checksummed address"),
    "account with a new line": (edited(account=ALICE.address + "\n"), "no checksummed address"),
    "another account": (edited(account=BOB.address), "is signed by"),
    "key null": (edited(public_key=None), "hex digits"),
    "key in upper case": (edited(public_key=CARD.public_key.upper()), "hex digits"),
    "key that is no hex": (edited(public_key="04" + "zz" * 64), "hex digits"),
    "key compressed": (edited(public_key="02" + CARD.public_key[2:66]), "hex digits"),
    "key in digits of another script": (edited(public_key="04" + "１" * 128), "hex digits"),
    "key of odd length": (edited(public_key=CARD.public_key[:-1]), "hex digits"),
    "key off the curve": (edited(public_key="04" + "11" * 64), "no point"),
    "key at infinity": (edited(public_key="04" + "00" * 64), "no point"),
    "another key": (edited(public_key=EncryptionKey.generate().public_key), "is signed by"),
    "signature a list": (edited(signature=[1]), "no signature"),
    "signature of odd length": (edited(signature=CARD.signature[:-1]), "no signature"),
    "signature with 0x": (edited(signature="0x" + CARD.signature), "no signature"),
    "signature zero": (edited(signature="00" * 65), "low s"),
    "signature with r = 0": (edited(signature="00" * 32 + CARD.signature[64:]), "low s"),
    "signature with r = n": (edited(signature=f"{ORDER:064x}" + CARD.signature[64:]), "low s"),
    "signature with a high s": (edited(signature=high_s()), "low s"),
    "signature with v = 0": (edited(signature=CARD.signature[:128] + "00"), "low s"),
    "signature with v = 29": (edited(signature=CARD.signature[:128] + "1d"), "low s"),
    "signature whose r is no point": (edited(signature="00" * 31 + "05" + CARD.signature[64:]), "made by no account"),
}


@pytest.mark.parametrize(("data", "said"), MALFORMED.values(), ids=MALFORMED)
def test_card__malformed__refused_in_one_line_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(ViewError, match=said) as refused:
        KeyCard.from_bytes(data)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_card__twin_with_a_high_s__would_be_its_accounts_signature() -> None:
    """So that the case above says what it seems to say."""
    from eth_account.messages import encode_defunct

    message = encode_defunct(text=KeyCard.statement(ALICE.address, CARD.public_key))
    assert Account.recover_message(message, signature=bytes.fromhex(high_s())) == ALICE.address


@given(st.binary(max_size=600))
def test_card__any_bytes__refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ViewError) as refused:
        KeyCard.from_bytes(data)
    assert "\n" not in str(refused.value)


@given(st.data())
def test_card__any_value_in_a_field__refused_in_one_line(data: st.DataObject) -> None:
    value = data.draw(st.none() | st.booleans() | st.integers() | st.text(max_size=200) | st.lists(st.integers()))
    name = data.draw(st.sampled_from(sorted(DOCUMENT)))
    try:
        card = edited(**{name: value})
    except ViewError:  # no Unicode
        return
    with pytest.raises(ViewError) as refused:
        KeyCard.from_bytes(card)
    assert "\n" not in str(refused.value)


# ── keys ──


@pytest.mark.parametrize("secret", [b"", bytes(32), ORDER.to_bytes(32), b"\xff" * 32, bytes([1] * 31), bytes([1] * 33)])
def test_key__that_is_none__refused(secret: bytes) -> None:
    with pytest.raises(ViewError, match="an encryption key is 32 bytes"):
        EncryptionKey(secret)


def test_key__shown__keeps_its_secret() -> None:
    assert KEY.secret.hex() not in repr(KEY) and repr(KEY.secret) not in repr(KEY)


@given(st.binary(max_size=300))
def test_open__any_bytes__refused_in_one_line(envelope: bytes) -> None:
    with pytest.raises(ViewError, match="another key or damaged"):
        KEY.open(envelope)
