"""Encrypted views: who can read them, and that they are what was proposed."""

from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from fl.market.mailbox import Mailbox
from fl.market.views import EncryptionKey, KeyCard, OwnersView, StationsView, ViewError, seal

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ALICE, BOB = Account.from_key("0x" + "11" * 32), Account.from_key("0x" + "22" * 32)


def card_of(account, key: EncryptionKey, claimed: str | None = None) -> KeyCard:
    """A key card that an account signs, for itself or for the address it claims."""
    address = claimed or account.address
    message = encode_defunct(text=KeyCard.statement(address, key.public_key))
    return KeyCard(address, key.public_key, account.sign_message(message).signature.hex())


@given(bps=st.integers(0, 10_000), targets=st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_owners_view__encrypted_and_read_back__is_the_same(bps: int, targets: list[str]) -> None:
    key, view = EncryptionKey.generate(), OwnersView(bps, tuple(targets))
    envelope = seal(card_of(ALICE, key), view.to_bytes())
    assert OwnersView.from_bytes(key.open(envelope)) == view
    assert view.to_bytes() not in envelope


def test_stations_view__read_back__same_digest() -> None:
    view = StationsView("cnn", "cifar10", 3, 1_000, 5, 2, 1)
    assert StationsView.from_bytes(view.to_bytes()).digest == view.digest
    assert StationsView("cnn", "cifar10", 3, 1_000, 5, 2, 1).digest != view.digest, "the salt must differ"


def test_owners_view__digest__binds_everything() -> None:
    view = OwnersView(9_000, ("cat", "dog"))
    digest = view.digest(1, CONTRACT, 1, ALICE.address)
    others = [
        view.digest(2, CONTRACT, 1, ALICE.address),
        view.digest(1, ALICE.address, 1, ALICE.address),
        view.digest(1, CONTRACT, 2, ALICE.address),
        view.digest(1, CONTRACT, 1, BOB.address),
        OwnersView(9_001, view.targets, view.salt).digest(1, CONTRACT, 1, ALICE.address),
        OwnersView(9_000, ("cat",), view.salt).digest(1, CONTRACT, 1, ALICE.address),
        OwnersView(9_000, view.targets).digest(1, CONTRACT, 1, ALICE.address),
    ]
    assert digest not in others


def test_open__another_key_or_damaged__refused() -> None:
    key, other = EncryptionKey.generate(), EncryptionKey.generate()
    envelope = seal(card_of(ALICE, key), b"text")
    damaged = envelope[:-1] + bytes([envelope[-1] ^ 1])
    for opener, text in ((other, envelope), (key, damaged), (key, b""), (key, envelope[:40])):
        with pytest.raises(ViewError, match="another key or damaged"):
            opener.open(text)


def test_seal__card_signed_by_somebody_else__refused() -> None:
    with pytest.raises(ViewError, match="is signed by"):
        seal(card_of(BOB, EncryptionKey.generate(), claimed=ALICE.address), b"text")


def test_mailbox__only_the_addressee_reads(tmp_path: Path) -> None:
    mailbox, keys = Mailbox(tmp_path), {account: EncryptionKey.generate() for account in (ALICE, BOB)}
    for account, key in keys.items():
        mailbox.publish(card_of(account, key))
    mailbox.send(ALICE.address, "model-0", b"text")
    assert mailbox.read(ALICE.address, "model-0", keys[ALICE]) == b"text"
    with pytest.raises(ViewError, match="another key"):
        mailbox.read(ALICE.address, "model-0", keys[BOB])
    with pytest.raises(ViewError, match="has not been sent"):
        mailbox.read(BOB.address, "model-0", keys[BOB])


def test_mailbox__no_card_or_a_card_in_anothers_place__refused(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    with pytest.raises(ViewError, match="no encryption key"):
        mailbox.send(ALICE.address, "model-0", b"text")
    mailbox.publish(card_of(BOB, EncryptionKey.generate()))
    cards = tmp_path / "cards"
    (cards / f"{BOB.address}.json").rename(cards / f"{ALICE.address}.json")
    with pytest.raises(ViewError, match="names"):
        mailbox.send(ALICE.address, "model-0", b"text")
