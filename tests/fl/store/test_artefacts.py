"""The content-addressed store: what is read is what its digest says, or an error."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.store.artefacts import ArtefactStore, digest_of, from_chain, to_chain
from fl.store.errors import Corrupt, Missing, StoreError, TooLarge, ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey
from fl.store.mailbox import round_folder
from fl.store.sealed import seal
from fl.store.signed import DeclarationStatement, Signed, UpdateStatement, pack, sign
from tests.fl.store.support import ALICE, BOB, DOMAIN, card_of, signing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artefacts"


@pytest.fixture
def store(folder: Path) -> ArtefactStore:
    return ArtefactStore(Files(folder))


def test_digest__known_bytes__is_their_sha256() -> None:
    assert digest_of(b"abc") == "0x" + hashlib.sha256(b"abc").hexdigest()
    assert digest_of(b"") == "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.binary(max_size=2000))
def test_put__any_bytes__are_read_back(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ArtefactStore(Files(folder))
        digest = store.put(data)
        assert (digest, store.get(digest), store.files.names()) == (digest_of(data), data, [digest[2:]])


def test_put__twice__stores_one_file_and_leaves_no_temporary(store: ArtefactStore, folder: Path) -> None:
    assert store.put(b"model") == store.put(b"model")
    assert [entry.name for entry in folder.iterdir()] == [digest_of(b"model")[2:]]


@pytest.mark.parametrize("damage", [b"modeL", b"mode", b"model\0", b""])
def test_get__corrupted_artefact__is_detected(store: ArtefactStore, folder: Path, damage: bytes) -> None:
    digest = store.put(b"model")
    assert store.get(digest) == b"model"
    (folder / store.name(digest)).write_bytes(damage)
    with pytest.raises(Corrupt, match=f"{digest} in .* is corrupt: its content hashes to {digest_of(damage)}"):
        store.get(digest)


def test_put__over_a_corrupted_artefact__replaces_it(store: ArtefactStore, folder: Path) -> None:
    digest = store.put(b"model")
    (folder / store.name(digest)).write_bytes(b"damage")
    assert store.put(b"model") == digest
    assert store.get(digest) == b"model"


def test_get__unknown_digest__says_which_and_where(store: ArtefactStore, folder: Path) -> None:
    digest = digest_of(b"never stored")
    assert store.files.names() == []
    with pytest.raises(Missing, match=f"no artefact {digest} in {folder}"):
        store.get(digest)


@pytest.mark.parametrize(
    "digest", ["", "0x12", "../../etc/passwd", "ab" * 32, "0x" + "AB" * 32, "0x" + "ab" * 32 + "\n"]
)
def test_get__not_a_digest__is_refused(store: ArtefactStore, digest: str) -> None:
    with pytest.raises(StoreError, match="not a digest"):
        store.get(digest)


def test_put__interrupted__leaves_nothing_behind(
    store: ArtefactStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.put(b"model")
    assert list(folder.iterdir()) == []


def test_import__artefacts_and_light_modules__do_not_load_torch() -> None:
    modules = [
        *(f"fl.store.{name}" for name in ("artefacts", "mailbox", "signed", "texts")),
        *(f"fl.training.{name}" for name in ("config", "errors", "command.options", "data.dataset", "data.splits")),
        *(f"fl.training.{name}" for name in ("model.spec", "contribution.methods", "contribution.points")),
    ]
    check = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules or 'ape' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


# ── sealed and signed, under each member's own name ──

KEY, OTHER = EncryptionKey.generate(), EncryptionKey.generate()


def signed(digest: str) -> Signed:
    return sign(UpdateStatement(1, 0, digest, 300), DOMAIN, signing(BOB))


@given(data=st.binary(max_size=5000))
def test_put__sealed_and_signed__its_readers_have_both_back(data: bytes) -> None:
    files = Files("memory://sealed", pauses=())
    digest = digest_of(data)
    assert ArtefactStore(files, BOB.address).put(data, [card_of(ALICE, KEY)], signed(digest)) == digest
    reader = ArtefactStore(files, ALICE.address)
    assert reader.get_signed(digest, [OTHER, KEY], len(data), BOB.address) == (signed(digest), data)
    with pytest.raises(ViewError, match=f"artefact {digest}: this is not sealed to any key of yours"):
        reader.get_signed(digest, [OTHER], folder=BOB.address)
    with pytest.raises(Missing):
        reader.get_signed(digest, [KEY])


def test_put__the_same_update_in_another_round__leaves_the_first_as_it_was() -> None:
    """Of the same order and the same data comes the same update: it has another statement, and other readers."""
    files, data = Files("memory://rounds", pauses=()), b"update"
    digest = digest_of(data)
    rounds = {number: sign(UpdateStatement(number, 0, digest, 300), DOMAIN, signing(BOB)) for number in (1, 2)}
    readers = {1: KEY, 2: OTHER}
    stores = {number: ArtefactStore(files, round_folder(BOB.address, DOMAIN.contract, number)) for number in rounds}
    for number, statement in rounds.items():
        stores[number].put(data, [card_of(ALICE, readers[number])], statement)
    for number, statement in rounds.items():
        assert stores[number].get_signed(digest, [readers[number]]) == (statement, data)


def test_put__statement_about_another_artefact__refused(store: ArtefactStore) -> None:
    with pytest.raises(ViewError, match="a signed Update is about 0x"):
        store.put(b"model", None, signed(digest_of(b"another")))
    assert store.files.names() == []


def test_get_signed__stored_under_anothers_digest__is_detected(store: ArtefactStore) -> None:
    """A station that records the digest of somebody else's update has nothing to show for it."""
    own, copied = digest_of(b"own"), digest_of(b"copied")
    for content in (pack(signed(own), b"own"), pack(sign(DeclarationStatement(1, 5), DOMAIN, signing(BOB)))):
        store.files.write(store.name(copied), content)
        with pytest.raises(Corrupt, match=f"artefact {copied} in .* is corrupt"):
            store.get_signed(copied)
    for content in (b"", b"own", bytes(10_000)):
        store.files.write(store.name(copied), content)
        with pytest.raises(ViewError):
            store.get_signed(copied)


def test_get__sealed_artefact_of_another_content__is_detected(store: ArtefactStore) -> None:
    digest = digest_of(b"model")
    store.files.write(store.name(digest), seal(b"another", [card_of(ALICE, KEY)]))
    with pytest.raises(Corrupt):
        store.get(digest, [KEY])


def test_get__larger_than_expected__refused_sealed_and_plain(store: ArtefactStore) -> None:
    digest = store.put(b"model")
    with pytest.raises(TooLarge):
        store.get(digest, most=4)
    store.put(b"model", [card_of(ALICE, KEY)])
    assert store.get(digest, [KEY], most=5) == b"model"
    with pytest.raises(TooLarge, match=f"artefact {digest}: sealed data of 5 bytes"):
        store.get(digest, [KEY], most=4)


@given(data=st.binary())
def test_digest__to_the_chain_and_back__is_the_same(data: bytes) -> None:
    digest = digest_of(data)
    assert len(to_chain(digest)) == 32
    assert from_chain(to_chain(digest)) == digest
