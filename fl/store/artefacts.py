"""Artefacts (models, updates), each addressed by its SHA-256, the digest that goes on chain.

Whoever holds a digest can check what it reads, whoever stored it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fl.store.errors import Corrupt, Missing, StoreError, TooLarge, ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.sealed import most_sealed, open_sealed, seal
from fl.store.signed import Signed, most_packed, pack, unpack

MOST_BYTES = 2**31
"""What is read of an artefact where its reader does not know better."""

_DIGEST = re.compile(r"0x[0-9a-f]{64}")


def digest_of(data: bytes) -> str:
    """SHA-256 of `data` as 0x and 64 lower-case hexadecimal digits, as in round.json."""
    return "0x" + hashlib.sha256(data).hexdigest()


def is_digest(value: object) -> bool:
    """Whether this is one, as `digest_of` writes it."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def to_chain(digest: str) -> bytes:
    """A digest as calls take it, 32 bytes."""
    return bytes.fromhex(digest.removeprefix("0x"))


def from_chain(digest: bytes) -> str:
    """A digest of a call or an event as the store takes it."""
    return "0x" + digest.hex()


@dataclass(frozen=True)
class ArtefactStore:
    """Files named by the SHA-256 of an artefact, which lies in them plain or sealed to its readers.

    Several processes may use one store at once.

    Attributes:
        files: where they lie.
        folder: of who stores here, above `artefacts/`; "": the files are nobody else's, and lie at the top. What is
            sealed lies under its round (`mailbox.round_folder`): another has other readers and other statements.
    """

    files: Files
    folder: str = ""

    def put(self, data: bytes, readers: Sequence[KeyCard] | None = None, signed: Signed | None = None) -> str:
        """Store an artefact and return its digest. Safe to repeat.

        Args:
            data: the artefact.
            readers: who can open it; None: it lies there plain, and putting it again costs one read.
            signed: a statement about it that is stored with it.

        Raises:
            ViewError: the statement is about something else, or a reader's card is not signed by its account.
            StoreError: it cannot be stored.
        """
        digest = digest_of(data)
        name = self.name(digest)
        content = data if signed is None else pack(signed, data)
        if readers is not None:
            self.files.write(name, seal(content, readers))
        elif not self._is_there(name, content):
            self.files.write(name, content)
        return digest

    def get(
        self,
        digest: str,
        keys: Sequence[EncryptionKey] | None = None,
        most: int = MOST_BYTES,
        folder: str | None = None,
    ) -> bytes:
        """An artefact, checked against its digest on every read.

        Args:
            digest: of the artefact.
            keys: those of the reader, one of which it is sealed to; None: it lies there plain.
            most: bytes that it may have.
            folder: of who stored it; None: the own one.

        Raises:
            Missing: nothing is stored under this digest.
            TooLarge: it has more bytes.
            Corrupt: the stored bytes have another SHA-256.
            ViewError: it is not sealed to any of the keys, or damaged.
            StoreError: `digest` is not one, or the store cannot be read.
        """
        data = self._content(digest, keys, most, folder)
        return self._checked(digest, data, digest_of(data))

    def get_signed(
        self,
        digest: str,
        keys: Sequence[EncryptionKey] | None = None,
        most: int = MOST_BYTES,
        folder: str | None = None,
    ) -> tuple[Signed, bytes]:
        """The statement that was stored with an artefact, and the artefact, checked against its digest.

        Who signed the statement, and for which round, is for the caller to check. Otherwise as `get`.
        """
        signed, data = unpack(self._content(digest, keys, most_packed(most), folder), most)
        return signed, self._checked(digest, data, getattr(signed.statement, "digest", None))

    def name(self, digest: str, folder: str | None = None) -> str:
        """The name of the file of an artefact, stored or not."""
        if not is_digest(digest):
            raise StoreError(f"not a digest (0x and 64 lower-case hexadecimal digits): {digest!r}")
        folder = self.folder if folder is None else folder
        return f"{folder}/artefacts/{digest[2:]}" if folder else digest[2:]

    def _content(self, digest: str, keys: Sequence[EncryptionKey] | None, most: int, folder: str | None) -> bytes:
        name = self.name(digest, folder)
        try:
            stored = self.files.read(name, most if keys is None else most_sealed(most))
        except Missing:
            raise Missing(f"no artefact {digest} in {self.files.address}") from None
        try:
            return stored if keys is None else open_sealed(stored, keys, most)
        except (ViewError, TooLarge) as error:
            raise type(error)(f"artefact {digest}: {error}") from error

    def _checked(self, digest: str, data: bytes, found: str | None) -> bytes:
        if found != digest:
            raise Corrupt(f"artefact {digest} in {self.files.address} is corrupt: its content hashes to {found}")
        return data

    def _is_there(self, name: str, content: bytes) -> bool:
        try:
            return self.files.read(name, len(content)) == content
        except (Missing, TooLarge):
            return False
