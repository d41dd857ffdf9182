"""Texts by their digests on chain: only members of the side read them, and nothing but what was proposed."""

from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from fl.store import mailbox
from fl.store.errors import Missing, Unreachable, ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey
from fl.store.texts import MOST_BYTES, OwnersView
from tests.fl.store.support import ALICE, BOB, CONTRACT, card_of

KEYS: dict[str, EncryptionKey] = {account.address: EncryptionKey.generate() for account in (ALICE, BOB)}
VIEW = OwnersView(9_000, ("cat", "dog"))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, pauses=())


def digest_of(view: OwnersView) -> bytes:
    return view.digest(1, CONTRACT, 1, ALICE.address)


def read(files: Files, reader: LocalAccount, digest: bytes = digest_of(VIEW), **how: Any) -> OwnersView:
    keys = how.pop("keys", [KEYS[reader.address]])
    return mailbox.read(files, ALICE.address, digest, keys, OwnersView.from_bytes, digest_of)


def send(files: Files, text: bytes = VIEW.to_bytes(), digest: bytes = digest_of(VIEW)) -> None:
    mailbox.send(files, ALICE.address, digest, text, [card_of(BOB, KEYS[BOB.address])])


def test_mailbox__only_the_addressee_reads(files: Files, tmp_path: Path) -> None:
    send(files)
    assert read(files, BOB) == VIEW
    with pytest.raises(ViewError, match="not sealed to any key of yours"):
        read(files, ALICE)
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert path.relative_to(tmp_path) == Path(ALICE.address, "texts", digest_of(VIEW).hex())
    assert VIEW.to_bytes()[:20] not in path.read_bytes()


def test_read__never_sent__names_the_proposer(files: Files) -> None:
    with pytest.raises(ViewError, match=f"{ALICE.address}'s proposal cannot be used: it has not been sent"):
        read(files, BOB)


def test_read__another_than_was_proposed__refused(files: Files) -> None:
    """Sent in the place of what was proposed."""
    send(files, OwnersView(9_999, ("cat",)).to_bytes())
    with pytest.raises(ViewError, match=f"{ALICE.address}.* it is not the one proposed"):
        read(files, BOB)


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 1000, b"\xff", b"x" * (MOST_BYTES + 1)])
def test_read__no_text__refused_and_names_the_proposer(files: Files, text: bytes) -> None:
    send(files, text)
    with pytest.raises(ViewError, match=f"the text of {ALICE.address}'s proposal cannot be used: "):
        read(files, BOB)


@pytest.mark.parametrize("size", [0, 100, 2_000_000])
def test_read__file_that_is_not_sealed__refused(files: Files, size: int) -> None:
    files.write(f"{ALICE.address}/texts/{digest_of(VIEW).hex()}", bytes(size))
    with pytest.raises(ViewError, match=ALICE.address):
        read(files, BOB)


def test_read__sealed_to_an_old_card__opens_with_any_key_of_the_past(files: Files) -> None:
    """An old card is signed as a new one is, and may stand in a list: its owner is not locked out."""
    old, new = EncryptionKey.generate(), EncryptionKey.generate()
    mailbox.send(files, ALICE.address, digest_of(VIEW), VIEW.to_bytes(), [card_of(BOB, old)])
    assert read(files, BOB, keys=[new, old]) == VIEW


def test_read__store_that_does_not_answer__is_not_the_proposers_fault(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(files)

    def gone(*_: Any) -> Any:
        raise ConnectionResetError("connection reset")

    monkeypatch.setattr(files, "_read", gone)
    with pytest.raises(Unreachable, match="connection reset"):
        read(files, BOB)


# ── what belongs to a round ──


def test_take__what_was_left__opens_for_its_readers_alone(files: Files) -> None:
    folder = mailbox.round_folder(ALICE.address, CONTRACT, 3)
    with pytest.raises(Missing):
        mailbox.take(files, folder, "order", list(KEYS.values()), 100)
    mailbox.leave(files, folder, "order", b"order", [card_of(BOB, KEYS[BOB.address])])
    assert mailbox.take(files, folder, "order", [KEYS[BOB.address]], 100) == b"order"
    with pytest.raises(ViewError):
        mailbox.take(files, folder, "order", [KEYS[ALICE.address]], 100)
    assert files.names(f"{ALICE.address}/rounds/{CONTRACT}/3") == [f"{folder}/order"]
