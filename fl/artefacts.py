"""A store of artefacts (models, updates) addressed by their SHA-256, the digest that goes on chain.

Knows neither chain nor torch: bytes in, digest out. Whoever holds a digest can check what it reads, whoever
stored it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fl.faults import Fault

_DIGEST = re.compile(r"0x[0-9a-f]{64}")


class ArtefactError(Fault, ValueError):
    """Base class of everything the store refuses."""


class MissingArtefact(ArtefactError):
    """No artefact is stored under this digest."""


class CorruptArtefact(ArtefactError):
    """What is stored under this digest has another SHA-256."""


def digest_of(data: bytes) -> str:
    """SHA-256 of `data` as 0x and 64 lower-case hexadecimal digits, as in round.json."""
    return "0x" + hashlib.sha256(data).hexdigest()


def to_chain(digest: str) -> bytes:
    """A digest as calls take it, 32 bytes."""
    return bytes.fromhex(digest.removeprefix("0x"))


def from_chain(digest: bytes) -> str:
    """A digest of a call or an event as the store takes it."""
    return "0x" + digest.hex()


@dataclass(frozen=True)
class ArtefactStore:
    """A folder in which each file is named by the SHA-256 of its content in hexadecimal.

    The folder is made by the first `put`. Several processes may use one folder at once.

    Attributes:
        root: the folder.
    """

    root: Path

    def put(self, data: bytes) -> str:
        """Store `data` and return its digest. Atomic: a reader or a crash never sees half a file.

        Putting what is stored already costs one read; a stored file that has become corrupt is replaced.
        """
        digest = digest_of(data)
        try:
            self.get(digest)
        except ArtefactError:
            self._write(self.path(digest), data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes stored under `digest`, checked against it on every read.

        Raises:
            MissingArtefact: nothing is stored under it.
            CorruptArtefact: the stored bytes have another SHA-256.
            ArtefactError: `digest` is not one.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise MissingArtefact(f"no artefact {digest} in {self.root}") from None
        if (found := digest_of(data)) != digest:
            raise CorruptArtefact(f"artefact {digest} in {self.root} is corrupt: its content hashes to {found}")
        return data

    def path(self, digest: str) -> Path:
        """Where the artefact of this digest lies, stored or not."""
        if not _DIGEST.fullmatch(digest):
            raise ArtefactError(f"not a digest (0x and 64 lower-case hexadecimal digits): {digest!r}")
        return self.root / digest[2:]

    def __contains__(self, digest: str) -> bool:
        """Whether something is stored under `digest` (its content is checked by `get`)."""
        return self.path(digest).is_file()

    def _write(self, path: Path, data: bytes) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".put-", dir=self.root)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
