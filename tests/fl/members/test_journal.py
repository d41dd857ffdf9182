"""The journal: what is written stays, however the process or the disk ends."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fl.members.assembly import noise_secret
from fl.members.journal import FORMAT, Busy, Conflict, Journal, JournalError, Signed, State
from tests.support.pages import ROOT

ALICE, BOB, CONTRACT = ("0x" + digit * 40 for digit in "abc")


def opened(path: Path, **changed: Any) -> Journal:
    return Journal(path, ALICE, 31337, CONTRACT, **changed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alice.sqlite"


def signed(number: int, nonce: int = 0, fee: int = 10) -> Signed:
    digest = number.to_bytes(32, "big")
    return Signed("deposit", b"k" * 32, nonce, b"raw" + digest, digest, 100_000, fee, fee // 2)


def test_journal__of_its_owner__is_closed_to_others(path: Path) -> None:
    with opened(path) as journal:
        journal.keep_key(b"1" * 32)
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    path.chmod(0o644)
    with opened(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_note__anything_json__comes_back(path: Path) -> None:
    value = {"salt": "0x00", "bids": [2**200, 0, -1], "nothing": None, "text": "κ, \x00 and \n", "share": 0.1}
    with opened(path) as journal:
        journal.note(1, "bid", value)
        assert journal.noted(1, "bid") == value
        assert (journal.noted(2, "bid"), journal.noted(1, "claim")) == (None, None)
        assert journal.notes(1) == {"bid": value}


def test_note__another_value__is_refused_and_the_first_stays(path: Path) -> None:
    with opened(path) as journal:
        journal.note(1, "bid", {"a": 1, "b": 2})
        journal.note(1, "bid", {"b": 2, "a": 1})
        with pytest.raises(Conflict, match="another bid of round 1"):
            journal.note(1, "bid", {"a": 1})
        assert journal.noted(1, "bid") == {"a": 1, "b": 2}


def test_noise_secret__of_a_round__is_that_of_an_old_copy_too(path: Path) -> None:
    with opened(path) as journal:
        with pytest.raises(JournalError, match="has no key: make your key card"):
            noise_secret(journal, 1)
        journal.keep_key(b"1" * 32)
    copy = path.with_name("copy.sqlite")
    shutil.copy(path, copy)
    with opened(path) as journal:
        journal.keep_key(b"2" * 32)
        secret = noise_secret(journal, 1)
        assert secret != noise_secret(journal, 2)
    with opened(copy) as journal:
        assert noise_secret(journal, 1) == secret
    for account, chain, contract in ((ALICE, 31337, BOB), (ALICE, 1, CONTRACT)):
        with Journal(path.with_name("other.sqlite"), account, chain, contract) as other:
            other.keep_key(b"1" * 32)
            assert noise_secret(other, 1) != secret
        path.with_name("other.sqlite").unlink()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_note__what_json_has_no_word_for__is_refused(path: Path, value: Any) -> None:
    with opened(path) as journal, pytest.raises(ValueError):
        journal.note(1, "share", value)


def test_note__round_out_of_range__is_one_line(path: Path) -> None:
    with opened(path) as journal, pytest.raises(JournalError, match="cannot be written to"):
        journal.note(2**70, "bid", 1)


# ── whose it is ──


@pytest.mark.parametrize("whose", [(BOB, 31337, CONTRACT), (ALICE, 1, CONTRACT), (ALICE, 31337, BOB)])
def test_open__journal_of_another_member__is_refused(path: Path, whose: tuple[str, int, str]) -> None:
    opened(path).close()
    with pytest.raises(JournalError, match=f"is of {ALICE} on chain 31337, contract {CONTRACT}"):
        Journal(path, *whose)


def test_open__addresses_with_a_checksum__are_the_same(path: Path) -> None:
    opened(path).close()
    Journal(path, "0x" + "A" * 40, 31337, CONTRACT).close()


def test_open__twice_in_one_process__is_refused(path: Path) -> None:
    with opened(path), pytest.raises(Busy, match="another process runs this member"):
        opened(path)
    opened(path).close()


SECOND = f"""
import sys
from pathlib import Path
from fl.members.journal import Journal, JournalError
try:
    journal = Journal(Path(sys.argv[1]), {ALICE!r}, 31337, {CONTRACT!r})
except JournalError as error:
    sys.exit(f"Error: {{error}}")
journal.note(1, "mine", "written")
print("open", flush=True)
sys.stdin.read()
"""


def second(path: Path) -> "subprocess.Popen[str]":
    """Another process that opens a journal, writes into it, and keeps it."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", SECOND, str(path)], cwd=ROOT, text=True, **pipes)


def test_open__another_process_has_it__one_line(path: Path) -> None:
    with opened(path) as journal:
        with second(path) as process:
            out, error = process.communicate()
        assert (process.returncode, out) == (1, "")
        assert error.splitlines() == [
            f"Error: journal {path} is in use: another process runs this member, and two would contradict each other; "
            "end that one first"
        ]
        assert journal.noted(1, "mine") is None


def test_open__process_that_had_it_was_killed__goes_on(path: Path) -> None:
    with second(path) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        with pytest.raises(Busy):
            opened(path)
        with opened(path, read_only=True) as journal:
            assert journal.noted(1, "mine") == "written"
        process.send_signal(signal.SIGKILL)
    with opened(path) as journal:
        assert journal.noted(1, "mine") == "written"


def test_open__copy_of_the_file_alone__is_an_older_journal(path: Path) -> None:
    with opened(path) as journal:
        journal.note(1, "bid", 5)
        copy = Path(shutil.copy(path, path.with_name("copy.sqlite")))
        with opened(copy) as old:
            assert old.noted(1, "bid") is None
            old.note(1, "bid", 6)
    with pytest.raises(JournalError, match="is of"):
        Journal(copy, BOB, 31337, CONTRACT)


def test_read_only__writes_nothing(path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        opened(path, read_only=True)
    assert not path.exists()
    with opened(path) as journal, opened(path, read_only=True) as reader:
        journal.note(1, "bid", 5)
        assert reader.noted(1, "bid") == 5
        with pytest.raises(JournalError, match="readonly"):
            reader.note(1, "claim", 5)


# ── files that are none ──


def contents(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mode


def test_open__file_of_something_else__is_left_alone(path: Path) -> None:
    path.write_bytes(b"a letter, by no means a database" * 100)
    before = contents(path)
    with pytest.raises(JournalError, match="file is not a database"):
        opened(path)
    assert contents(path) == before


def test_open__database_of_something_else__is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    other.close()
    before = contents(path)
    with pytest.raises(JournalError, match="is not a journal of HCFL"):
        opened(path)
    assert contents(path) == before


@pytest.mark.parametrize("version", [FORMAT - 1, FORMAT + 1])
def test_open__another_format__is_refused(path: Path, version: int) -> None:
    opened(path).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    before = contents(path)
    with pytest.raises(JournalError, match=f"has format {version}, and this program reads {FORMAT}"):
        opened(path)
    assert contents(path) == before


def test_open__damaged__is_one_line(path: Path) -> None:
    with opened(path) as journal:
        for number in range(20):
            journal.note(number, "bid", "x" * 3_000)
    whole = bytearray(path.read_bytes())
    whole[8192:16384] = b"\xff" * 8192
    path.write_bytes(whole)
    with pytest.raises(JournalError, match="damaged") as refused:
        opened(path)
    assert "\n" not in str(refused.value)


def test_open__no_place_for_it__is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path, tmp_path / "file" / "journal"):
        with pytest.raises(JournalError, match="cannot be opened"):
            opened(place)


WRITE = f"""
import sys
from itertools import count
from pathlib import Path
from fl.members.journal import Journal, Signed, State
journal = Journal(Path(sys.argv[1]), {ALICE!r}, 31337, {CONTRACT!r})
for number in count():
    digest = number.to_bytes(32, "big")
    journal.note(number, "bid", number)
    journal.sign(Signed("deposit", digest, number, b"raw", digest, 1, 1, 1))
    journal.finish(digest, State.DONE, number, 1, 1)
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 17, 60])
def test_open__killed_while_it_wrote__has_all_that_was_written(path: Path, lines: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        written = lines + len(process.stdout.readlines())
    with opened(path) as journal:
        rows = journal.transactions()
        assert [each.nonce for each in rows] == list(range(len(rows)))
        assert [each.state for each in rows[:written]] == [State.DONE] * written
        assert written <= len(rows) <= written + 1, "one more may be there that was not told"
        assert [journal.noted(number, "bid") for number in range(written)] == list(range(written))
        journal.note(written + 1, "bid", "goes on")


# ── the disk ──

FILL = f"""
import resource, sys
from pathlib import Path
from fl.members.journal import Journal, JournalError
if most := int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    journal = Journal(Path(sys.argv[1]), {ALICE!r}, 31337, {CONTRACT!r})
    for number in range(1000):
        journal.note(number, "bid", "x" * 1000)
        print(number, flush=True)
except JournalError as error:
    sys.exit(f"Error: {{error}}")
"""


def filled(path: Path, most: int = 0) -> list[int]:
    """The rounds that were noted until there was no more room, or files might not grow beyond so many bytes."""
    typed = [sys.executable, "-c", FILL, str(path), str(most)]
    done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: journal {path} cannot be written to: ")
    return [int(number) for number in done.stdout.split()]


def assert_goes_on(path: Path, written: list[int]) -> None:
    """What was written is there, nothing else is, and there is room again."""
    with opened(path) as journal:
        assert [number for number in range(1000) if journal.noted(number, "bid")] == written
        journal.note(1000, "bid", "x")


@pytest.mark.parametrize("most", [1, 10_000, 60_000, 150_000])
def test_write__files_may_not_grow__one_line_and_what_was_written_is_there(path: Path, most: int) -> None:
    written = filled(path, most)
    assert_goes_on(path, written)
    assert bool(written) is (most >= 60_000)


def test_write__disk_full__one_line_and_what_was_written_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("we may not mount a disk here")
    try:
        written = filled(folder / "journal.sqlite")
        assert written
        subprocess.run(["mount", "-o", "remount,size=1M", str(folder)], check=True)
        assert_goes_on(folder / "journal.sqlite", written)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# ── transactions ──


def test_sign__the_same_again__is_one(path: Path) -> None:
    with opened(path) as journal:
        journal.sign(signed(1))
        journal.sign(signed(1))
        assert [each.hash for each in journal.transactions()] == [signed(1).hash]


def test_finish__one_of_several_versions__replaces_the_others(path: Path) -> None:
    with opened(path) as journal:
        for number, nonce in ((1, 0), (2, 0), (3, 1)):
            journal.sign(signed(number, nonce))
        journal.finish(signed(2).hash, State.DONE, 7, 50_000, 3)
        first, second, third = journal.transactions()
        assert [each.state for each in (first, second, third)] == [State.REPLACED, State.DONE, State.OPEN]
        assert (second.block, second.gas_used, second.price) == (7, 50_000, 3)
        assert journal.transactions(State.OPEN) == (third,)


def test_reopen__nonces_that_the_chain_dropped__are_open_but_for_lost_ones(path: Path) -> None:
    with opened(path) as journal:
        for number in range(4):
            journal.sign(signed(number, nonce=number))
        journal.lose(2)
        for number in (0, 1, 3):
            journal.finish(signed(number).hash, State.DONE, 7 + number, 1, 1)
        assert journal.reopen(1) == 2
        assert [each.state for each in journal.transactions()] == [State.DONE, State.OPEN, State.LOST, State.OPEN]
        assert [each.block for each in journal.transactions()] == [7, None, None, None]
        assert journal.reopen(1) == 0


# ── anything, with crashes ──

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NONCES = st.integers(0, 3)


class JournalMachine(RuleBasedStateMachine):
    """A journal does what dictionaries do; a crash, after which the files are as they lie there, changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[tuple[int, str], Any] = {}
        self.keys: list[bytes] = []
        self.rows: list[dict[str, Any]] = []
        self.folders = [TemporaryDirectory()]
        self.journal = opened(self.path)

    @property
    def path(self) -> Path:
        return Path(self.folders[-1].name) / "journal.sqlite"

    def teardown(self) -> None:
        self.journal.close()
        for folder in self.folders:
            folder.cleanup()

    @rule()
    def crash(self) -> None:
        files = [self.path, self.path.with_name(f"{self.path.name}-wal")]
        self.folders.append(TemporaryDirectory())
        for file in files:
            if file.exists():
                shutil.copy(file, self.path.parent)
        self.journal.close()
        self.journal = opened(self.path)

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = opened(self.path)

    @rule(round_id=st.integers(0, 2), name=st.sampled_from(["bid", "claim"]), value=VALUES)
    def note(self, round_id: int, name: str, value: Any) -> None:
        there = self.notes.setdefault((round_id, name), value)
        if json.dumps(there, sort_keys=True) == json.dumps(value, sort_keys=True):
            self.journal.note(round_id, name, value)
        else:
            with pytest.raises(Conflict):
                self.journal.note(round_id, name, value)

    @rule(key=st.binary(min_size=1, max_size=1))
    def keep_key(self, key: bytes) -> None:
        self.journal.keep_key(key)
        if key not in self.keys:
            self.keys.append(key)

    @rule(nonce=NONCES)
    def sign(self, nonce: int) -> None:
        self.journal.sign(signed(len(self.rows), nonce))
        self.rows.append({"nonce": nonce, "state": State.OPEN, "block": None})

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), state=st.sampled_from([State.DONE, State.FAILED]), block=st.integers(0, 9))
    def finish(self, data: st.DataObject, state: State, block: int) -> None:
        number = data.draw(st.integers(0, len(self.rows) - 1))
        self.journal.finish(signed(number).hash, state, block, 1, 1)
        for each in self.rows:
            if each["nonce"] == self.rows[number]["nonce"]:
                each |= {"state": State.REPLACED}
        self.rows[number] |= {"state": state, "block": block}

    @rule(nonce=NONCES)
    def lose(self, nonce: int) -> None:
        self.journal.lose(nonce)
        for each in self.rows:
            if each["nonce"] == nonce and each["state"] is State.OPEN:
                each["state"] = State.LOST

    @rule(nonce=NONCES)
    def reopen(self, nonce: int) -> None:
        count = 0
        for each in self.rows:
            if each["nonce"] >= nonce and each["state"] not in (State.OPEN, State.LOST):
                each |= {"state": State.OPEN, "block": None}
                count += 1
        assert self.journal.reopen(nonce) == count

    @invariant()
    def journal_is_the_model(self) -> None:
        found = {(number, name): value for number in range(3) for name, value in self.journal.notes(number).items()}
        assert found == self.notes
        assert self.journal.keys() == tuple(self.keys)
        rows = self.journal.transactions()
        assert [{"nonce": each.nonce, "state": each.state, "block": each.block} for each in rows] == self.rows
        assert [each.hash for each in rows] == [signed(number).hash for number in range(len(rows))]
        open_rows = tuple(each for each in rows if each.state is State.OPEN)
        assert self.journal.transactions(State.OPEN) == open_rows


def test_journal__any_calls_and_crashes__is_a_dictionary() -> None:
    run_state_machine_as_test(JournalMachine, settings=settings(max_examples=8, stateful_step_count=15))


@pytest.mark.heavy
def test_journal__many_calls_and_crashes__is_a_dictionary() -> None:
    run_state_machine_as_test(JournalMachine, settings=settings(max_examples=300, stateful_step_count=50))
