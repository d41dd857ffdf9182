"""Files at any address that fsspec knows: a folder, S3, Google Cloud Storage, SFTP.

A file is there as a whole or not at all. What is only a break of the connection is tried again.
"""

import errno
import logging
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from fl.atomic import UNFINISHED, write_atomically
from fl.faults import line_of
from fl.store.errors import Forbidden, Missing, Refused, StoreError, TooLarge, Unreachable

log = logging.getLogger("hcfl")

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try."""

ANSWER_SECONDS = 10
"""Within which a store that answers does."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")

_ONE_PUT = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az", "abfss", "adl", "oss", "oci", "memory"})
"""Stores in which a file appears when its upload is complete; in all others it grows, and is renamed at the end."""

_FOR_GOOD = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTEMPTY),
    }
)
"""What trying again does not mend."""

_T = TypeVar("_T")


class Files:
    """The files under an address.

    Names are relative: parts of letters, digits, `.`, `_` and `-`, between slashes, none beginning with a dot.

    Attributes:
        address: as it may be shown, without a password.
        until: by `time.monotonic`, when a call is given up however slowly the store goes on; of a folder none is.
        write_until: the same for what is written.
    """

    until: float = inf
    write_until: float = inf

    def __init__(
        self, address: str | Path, options: Mapping[str, Any] | None = None, pauses: tuple[float, ...] = PAUSES
    ):
        """Open an address; nothing is asked of it yet.

        Args:
            address: a folder, or any address that fsspec knows (`s3://bucket/prefix`).
            options: what its file system takes, such as an endpoint and credentials.
            pauses: seconds before each further try.

        Raises:
            Refused: fsspec does not know such an address, or needs a package for it that is not installed.
        """
        self.address = re.sub(r"//[^/@]*@", "//", str(address))
        self._pauses = pauses
        try:
            self._system, root = fsspec.url_to_fs(str(address), **dict(options or {}))
        except Exception as error:  # a file system may raise anything
            raise Refused(f"the store {self.address} cannot be opened: {line_of(error)}") from error
        self._root = root.rstrip("/")
        self._local = isinstance(self._system, LocalFileSystem)

    def write(self, name: str, data: bytes) -> None:
        """Store a file, in place of one of that name. A reader or a crash never sees a part of it.

        Raises:
            Refused: it cannot be written there.
            Unreachable: the store did not answer.
        """
        place = self._place(name)
        try:
            failed = f"{name} cannot be written to {self.address}"
            self._trying(failed, lambda: self._write(place, data), self.write_until)
        except Missing as error:  # the bucket
            raise Refused(str(error)) from error

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes.

        Args:
            name: of the file.
            most: bytes that it may have; of a larger one none are read.

        Raises:
            Missing: there is none.
            TooLarge: it is larger.
            Refused: it cannot be read.
            Unreachable: the store did not answer.
        """
        place = self._place(name)
        return self._trying(f"{name} cannot be read from {self.address}", lambda: self._read(name, place, most))

    def answers(self) -> bool:
        """Whether the store answers just now: then what it does not give is a matter of that file and of its writer."""
        error = self._looked()
        return error is None or isinstance(error, FileNotFoundError) or _is_for_good(error)

    def are_there(self) -> bool:
        """Whether there is such a folder or bucket, as far as can be seen; whoever writes first makes a folder."""
        return not isinstance(self._looked(), FileNotFoundError)

    def names(self, folder: str = "") -> list[str]:
        """Names of the files directly in a folder, sorted; none where there is no folder. "" is the address itself.

        Raises:
            Refused: it cannot be read.
            Unreachable: the store did not answer.
        """
        place, failed = self._folder(folder), f"{folder or 'what there is'} cannot be listed in {self.address}"
        try:
            return self._trying(failed, lambda: self._names(folder, place))
        except Missing:
            return []

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            Refused: it cannot be removed.
            Unreachable: the store did not answer.
        """
        place = self._place(name)
        with suppress(Missing):
            self._trying(f"{name} cannot be removed from {self.address}", lambda: self._remove(place))

    def remove_unfinished(self, folder: str = "") -> None:
        """Remove what writes that were killed left in a folder; for whoever alone writes there.

        Raises:
            Refused: it cannot be removed.
            Unreachable: the store did not answer.
        """
        place, failed = self._folder(folder), f"{folder or 'what is unfinished'} cannot be cleared in {self.address}"
        with suppress(Missing):
            self._trying(failed, lambda: self._remove_unfinished(place))

    # ── one try ──

    def _looked(self) -> Exception | None:
        """What a look at the address meets with; it may be forbidden to who may read and write there."""
        try:
            self._system.invalidate_cache()
            _in_time(lambda: self._system.ls(self._root, detail=False), ANSWER_SECONDS)
        except Exception as error:  # a file system may raise anything
            return self._meant(error)
        return None

    def _meant(self, error: Exception) -> Exception:
        """What an error means: fsspec's HTTP says of whatever went wrong that there is no such file."""
        if "http" not in _protocols(self._system):
            return error
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        match getattr(cause, "status", None):
            case 404 | 410:
                return FileNotFoundError(str(cause))
            case 401 | 403:
                return PermissionError(str(cause))
            case _:
                return cause

    def _write(self, place: str, data: bytes) -> None:
        if self._local:
            path = Path(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
            return
        if not _ONE_PUT.isdisjoint(_protocols(self._system)):
            self._system.pipe_file(place, data)
            return
        folder = place.rpartition("/")[0]
        self._system.makedirs(folder, exist_ok=True)
        unfinished = f"{folder}/{UNFINISHED}{secrets.token_hex(8)}"
        try:
            self._system.pipe_file(unfinished, data)
            self._system.mv(unfinished, place)
        except BaseException:
            with suppress(Exception):
                self._system.rm_file(unfinished)
            raise

    def _read(self, name: str, place: str, most: int) -> bytes:
        if self._local:
            return self._read_plain(name, place, most)
        self._system.invalidate_cache()  # others write here, too
        size = self._system.info(place)["size"]
        if size is None:  # as a web server may have it
            with self._system.open(place, "rb") as file:
                data: bytes = file.read(most + 1)
            size = len(data)
        elif size <= most:
            data = self._system.cat_file(place, start=0, end=size) if size else b""
        if size > most:
            raise self._too_large(name, size, most)
        return self._whole(data, size)

    def _whole(self, data: bytes, size: int) -> bytes:
        if len(data) != size:
            raise ConnectionError(f"{len(data):,} of {size:,} bytes came")
        return data

    def _read_plain(self, name: str, place: str, most: int) -> bytes:
        """A file of a folder. What it is follows from what was opened: others may put something else there meanwhile.

        A link may lead to what has no end, a pipe keep its reader waiting.
        """
        try:
            file = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):  # a link; a socket
                raise
            raise self._not_plain(name) from error
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise self._not_plain(name)
            if found.st_size > most:
                raise self._too_large(name, found.st_size, most)
            with open(file, "rb", closefd=False) as opened:
                data = opened.read(found.st_size + 1)  # not `most`: so much memory would be asked for
        finally:
            os.close(file)
        return self._whole(data, found.st_size)

    def _not_plain(self, name: str) -> Refused:
        return Refused(f"{name} in {self.address} is no plain file")

    def _too_large(self, name: str, size: int, most: int) -> TooLarge:
        return TooLarge(f"{name} in {self.address} has {size:,} bytes or more: at most {most:,} are read")

    def _names(self, folder: str, place: str) -> list[str]:
        names = (name for name in self._listed(place) if _NAME.fullmatch(name))
        return sorted(f"{folder}/{name}" if folder else name for name in names)

    def _remove_unfinished(self, place: str) -> None:
        for name in self._listed(place):
            if name.startswith(UNFINISHED):
                self._remove(f"{place}/{name}")

    def _remove(self, place: str) -> None:
        if self._local:
            Path(place).unlink()
        else:
            self._system.rm_file(place)

    def _listed(self, place: str) -> list[str]:
        self._system.invalidate_cache()
        found = self._system.ls(place, detail=True)
        return [each["name"].rpartition("/")[2] for each in found if each["type"] == "file"]

    # ── again and again ──

    def _trying(self, failed: str, once: Callable[[], _T], until: float | None = None) -> _T:
        until = self.until if until is None else until
        for pause in (*self._pauses, None):
            try:
                return once() if self._local else _in_time(once, until - time.monotonic())
            except StoreError:
                raise
            except Exception as raised:  # a file system may raise anything
                error = self._meant(raised)
                if isinstance(error, FileNotFoundError):
                    raise Missing(f"{failed}: there is no such file or bucket") from error
                if _is_for_good(error):
                    kind = Forbidden if isinstance(error, PermissionError) else Refused
                    raise kind(f"{failed}: {_said(error)}") from error
                if pause is None or time.monotonic() + pause > until:
                    raise Unreachable(f"{failed}: {_said(error)}") from error
                log.warning("%s: %s; trying again in %g s", failed, _said(error), pause)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _folder(self, name: str) -> str:
        return self._place(name) if name else self._root

    def _place(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise StoreError(f"not the name of a file in a store: {name!r}")
        return f"{self._root}/{name}"


def _in_time(once: Callable[[], _T], seconds: float) -> _T:
    """What a call returns, if it does so in time: a store that sends a byte now and then is no break of a connection.

    Raises:
        TimeoutError: it does not. It goes on in its thread, for nobody.
    """
    if seconds == inf:
        return once()
    answer: Future[_T] = Future()

    def work() -> None:
        try:
            answer.set_result(once())
        except BaseException as error:  # whoever waits is told
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(max(0.0, seconds))
    except TimeoutError as error:
        raise TimeoutError(line_of(error) or "it takes too long") from error


def _is_for_good(error: Exception) -> bool:
    return isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno in _FOR_GOOD)


def _said(error: Exception) -> str:
    return line_of(error) or type(error).__name__


def _protocols(system: fsspec.AbstractFileSystem) -> set[str]:
    return {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
