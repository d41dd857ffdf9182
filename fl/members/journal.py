"""What a member must not forget, on its disk: what it settled on, its keys, each transaction before it leaves.

One SQLite file for each account, chain and contract, used by one process at a time. Every call that writes is synced
when it returns, and whole or not there at all: a crash at any moment leaves a journal that opens. To keep a copy, copy
the file while no process has it; what is newer lies in the `-wal` beside it. An old copy is safe to go on with: see
`Journal.note`.
"""

import json
import logging
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from filelock import FileLock, Timeout

from fl.faults import Fault

log = logging.getLogger("hcfl")

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

APPLICATION = 0x4843464C
"""SQLite's `application_id` of a journal: HCFL."""

FORMAT = 1
"""SQLite's `user_version` of a journal."""

_SCHEMA = """
CREATE TABLE identity (account TEXT NOT NULL, chain_id INTEGER NOT NULL, contract TEXT NOT NULL) STRICT;
CREATE TABLE keys (id INTEGER PRIMARY KEY, secret BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE notes (
    round_id INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (round_id, name)
) STRICT;
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY,
    call TEXT NOT NULL,
    key BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    raw BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    gas INTEGER NOT NULL,
    max_fee INTEGER NOT NULL,
    tip INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    block INTEGER,
    gas_used INTEGER,
    price INTEGER
) STRICT;
CREATE INDEX transactions_by_nonce ON transactions (nonce);
"""


class JournalError(Fault):
    """The journal cannot be used, or not be written to; nothing was sent."""


class Busy(JournalError):
    """Another process has the journal."""


class Conflict(JournalError):
    """Something else stands in the journal already."""


class State(StrEnum):
    """What is known of a signed transaction.

    Attributes:
        OPEN: it may have left, and is not mined.
        DONE: mined, and did what it was to.
        FAILED: mined, and reverted.
        REPLACED: another of ours with the same nonce is mined.
        LOST: a transaction that is not in this journal took its nonce.
    """

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    REPLACED = "replaced"
    LOST = "lost"


@dataclass(frozen=True)
class Signed:
    """A transaction that is ready to leave.

    Attributes:
        call: of the contract, in words.
        key: digest of what it asks for, the same for all transactions that ask for it, 32 bytes.
        raw: what a node takes.
        hash: of `raw`, 32 bytes.
        gas: its limit.
        max_fee: wei a gas at most, tip included.
        tip: wei a gas, for who builds the block.
    """

    call: str
    key: bytes
    nonce: int
    raw: bytes
    hash: bytes
    gas: int
    max_fee: int
    tip: int


@dataclass(frozen=True)
class Recorded(Signed):
    """A transaction in the journal.

    Attributes:
        id: counts up with each transaction.
        block: that it is in, once it is mined.
        gas_used: likewise.
        price: wei a gas that was paid, likewise.
    """

    id: int
    state: State
    block: int | None = None
    gas_used: int | None = None
    price: int | None = None


class Journal:
    """One member's journal of one contract.

    Raises:
        JournalError: (every method) the file cannot be used, with the reason and what to do.
    """

    def __init__(self, path: Path, account: str, chain_id: int, contract: str, *, read_only: bool = False):
        """Open a journal, or begin it.

        Args:
            path: the file; `.lock` is added to it for the file that says that it is in use.
            account: address.
            chain_id: of the chain that the contract is on.
            contract: address.
            read_only: look at a journal that another process may have at the same time.

        Raises:
            Busy: another process has it.
        """
        self.path = path
        self.account = account
        self.chain_id = chain_id
        self.contract = contract
        self._lock: FileLock | None = None
        try:
            if not read_only:
                self._lock = self._locked()
                _create(path)
            elif not path.is_file():
                raise JournalError(f"there is no journal {path}")
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}", uri=True, isolation_level=None
            )
        except (OSError, sqlite3.Error) as error:
            self._release()
            raise JournalError(f"journal {path} cannot be opened: {error}") from error
        except JournalError:
            self._release()
            raise
        try:
            self._open((account.lower(), chain_id, contract.lower()), read_only)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        try:
            self._connection.close()
        finally:
            self._release()

    # ── what was settled on ──

    def note(self, round_id: int, name: str, value: Json) -> None:
        """Write down what this member has settled on; it holds for good.

        With an old copy of a journal a member may settle on something else. So whoever signs something compares it
        with what the chain already has of this account.

        Args:
            round_id: of the crowdfunding round.
            name: such as "bid".
            value: anything but null, which `noted` returns where there is nothing.

        Raises:
            Conflict: something else is written there.
        """
        if value is None:
            raise ValueError("a note is not null")
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
        with self._writing() as database:
            database.execute("INSERT INTO notes VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (round_id, name, text))
            ((found,),) = database.execute(
                "SELECT value FROM notes WHERE round_id = ? AND name = ?", (round_id, name)
            ).fetchall()
        if found != text:
            raise Conflict(
                f"journal {self.path} has another {name} of round {round_id} already, and nothing else is signed: "
                "go on with what it has"
            )

    def noted(self, round_id: int, name: str) -> Any:
        """What was settled on; null: nothing."""
        found = self._read("SELECT value FROM notes WHERE round_id = ? AND name = ?", (round_id, name))
        return json.loads(found[0][0]) if found else None

    def notes(self, round_id: int) -> dict[str, Any]:
        """All that was settled on in a round, by name, in the order of names."""
        found = self._read("SELECT name, value FROM notes WHERE round_id = ? ORDER BY name", (round_id,))
        return {name: json.loads(value) for name, value in found}

    # ── keys ──

    def keep_key(self, secret: bytes) -> None:
        """Keep an encryption key, 32 bytes; it becomes the newest unless it is there already."""
        with self._writing() as database:
            database.execute("INSERT INTO keys (secret) VALUES (?) ON CONFLICT DO NOTHING", (secret,))

    def keys(self) -> tuple[bytes, ...]:
        """Every encryption key that this member ever had, the newest last."""
        return tuple(secret for (secret,) in self._read("SELECT secret FROM keys ORDER BY id"))

    # ── transactions ──

    def sign(self, signed: Signed) -> None:
        """Write down a transaction that is about to leave; only then may it."""
        values = (
            signed.call,
            signed.key,
            signed.nonce,
            signed.raw,
            signed.hash,
            signed.gas,
            signed.max_fee,
            signed.tip,
        )
        with self._writing() as database:
            database.execute(
                "INSERT INTO transactions (call, key, nonce, raw, hash, gas, max_fee, tip) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
                values,
            )

    def finish(self, digest: bytes, state: State, block: int, gas_used: int, price: int) -> None:
        """A transaction is mined; the others with its nonce are replaced."""
        with self._writing() as database:
            database.execute(
                "UPDATE transactions SET state = ? "
                "WHERE nonce = (SELECT nonce FROM transactions WHERE hash = ?) AND hash != ?",
                (State.REPLACED, digest, digest),
            )
            database.execute(
                "UPDATE transactions SET state = ?, block = ?, gas_used = ?, price = ? WHERE hash = ?",
                (state, block, gas_used, price, digest),
            )

    def lose(self, nonce: int) -> None:
        """Somebody else's transaction took a nonce."""
        with self._writing() as database:
            database.execute(
                "UPDATE transactions SET state = ? WHERE nonce = ? AND state = ?", (State.LOST, nonce, State.OPEN)
            )

    def reopen(self, first_nonce: int) -> int:
        """The chain has none of the nonces from here on: what was mined of them is open again.

        Returns:
            How many transactions that are.
        """
        settled = (State.DONE, State.FAILED, State.REPLACED)
        if not self._read(
            "SELECT 1 FROM transactions WHERE nonce >= ? AND state IN (?, ?, ?) LIMIT 1", (first_nonce, *settled)
        ):
            return 0
        with self._writing() as database:
            return database.execute(
                "UPDATE transactions SET state = ?, block = NULL, gas_used = NULL, price = NULL "
                "WHERE nonce >= ? AND state IN (?, ?, ?)",
                (State.OPEN, first_nonce, *settled),
            ).rowcount

    def transactions(self, *states: State) -> tuple[Recorded, ...]:
        """Every transaction that was ever signed, in that order; of some states, if any are named."""
        chosen = states or tuple(State)
        marks = ", ".join("?" * len(chosen))
        rows = self._read(
            "SELECT call, key, nonce, raw, hash, gas, max_fee, tip, id, state, block, gas_used, price "
            f"FROM transactions WHERE state IN ({marks}) ORDER BY id",
            chosen,
        )
        return tuple(Recorded(*(*row[:9], State(row[9]), *row[10:])) for row in rows)

    # ── how ──

    def _locked(self) -> FileLock:
        lock = FileLock(f"{self.path}.lock", mode=0o600)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except Timeout:
            raise Busy(
                f"journal {self.path} is in use: another process runs this member, and two would contradict "
                "each other; end that one first"
            ) from None
        return lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _open(self, identity: tuple[str, int, str], read_only: bool) -> None:
        with self._failing("read"):
            self._connection.execute("PRAGMA busy_timeout = 5000")
            ((application,),) = self._connection.execute("PRAGMA application_id").fetchall()
            ((version,),) = self._connection.execute("PRAGMA user_version").fetchall()
            ((tables,),) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if (application, tables) == (0, 0) and not read_only:
            self._begin(identity)
        elif application != APPLICATION:
            raise JournalError(f"{self.path} is not a journal of HCFL: name another file")
        elif version != FORMAT:
            raise JournalError(
                f"journal {self.path} has format {version}, and this program reads {FORMAT}: "
                "go on with the version of the program that wrote it"
            )
        with self._failing("read"):
            ((health,),) = self._connection.execute("PRAGMA quick_check(1)").fetchall()
            found = self._connection.execute("SELECT account, chain_id, contract FROM identity").fetchall()
        if health != "ok":
            raise JournalError(f"journal {self.path} is damaged ({' '.join(health.split())}): put a copy back")
        if found != [identity]:
            whose = "; ".join(f"{each[0]} on chain {each[1]}, contract {each[2]}" for each in found)
            raise JournalError(f"journal {self.path} is of {whose or 'nobody'}: each account has one of its own")
        if not read_only:
            self._configure()
            self._shut()

    def _shut(self) -> None:
        """See to it that only the journal's owner reads it; a copy put back may be open to all."""
        with self._failing("protected"):
            if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                log.warning("journal %s could be read by others; now only its owner may", self.path)
                self.path.chmod(0o600)

    def _configure(self) -> None:
        with self._failing("written to"):
            ((mode,),) = self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._connection.execute("PRAGMA synchronous = FULL")
        if mode != "wal":
            raise JournalError(f"journal {self.path} lies on a file system without shared memory: name a local disk")

    def _begin(self, identity: tuple[str, int, str]) -> None:
        self._configure()
        with self._writing() as database:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute("INSERT INTO identity VALUES (?, ?, ?)", identity)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
        with self._failing("written to"):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a copy of the file alone is a journal

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside is synced on leaving, or nothing is."""
        with self._failing("written to"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        with self._failing("read"), closing(self._connection.execute(query, tuple(values))) as cursor:
            return cursor.fetchall()

    @contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError, OSError) as error:
            raise JournalError(f"journal {self.path} cannot be {done}: {error}") from error


def _create(path: Path) -> None:
    """Begin a file that only its owner reads; one that is there stays as it is."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
