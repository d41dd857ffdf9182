"""What `ape run crowdfund_round` makes of wrong options, full disks and nodes that are not there or die."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shutil import which

import pytest

from analysis.devnode.anvil import anvil
from analysis.devnode.chain import Chain
from tests.support.crowdfund_round import ROOT, SMALL, command, run


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The fault ends the command with status 1, and one line that has the words is all that is said of it."""
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    *before, line = done.stderr.splitlines()
    assert not before, done.stderr
    assert line.startswith("Error: ")
    for word in words:
        assert word in line
    assert "Traceback" not in done.stdout


def assert_nothing_started(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert_one_line(done, *words)
    assert done.stdout == ""


def without_torch_and_anvil(folder: Path) -> dict[str, str]:
    """An environment in which anvil and torch can be started, but not without being noticed."""
    for name in ("anvil", "torch"):
        (folder / name).mkdir()
    (folder / "anvil" / "anvil").write_text("#!/bin/sh\necho anvil was started >&2\nexit 1\n", encoding="utf-8")
    (folder / "anvil" / "anvil").chmod(0o755)
    (folder / "torch" / "torch.py").write_text("raise RuntimeError('torch was imported')\n", encoding="utf-8")
    return {"PATH": f"{folder / 'anvil'}:{os.environ['PATH']}", "PYTHONPATH": str(folder / "torch")}


@pytest.fixture
def too_early(tmp_path: Path) -> dict[str, str]:
    """See `without_torch_and_anvil`."""
    return without_torch_and_anvil(tmp_path)


WRONG = {
    ("--owners", "1"): "at least 2 owners",
    ("--bad-winner", "--absent-station"): "choose one",
    ("--dataset", "cifar10", "--data-dir", "/nowhere"): "/nowhere",
    ("--model", "vgg"): "small-cnn",
    ("--global-rule", "trimmed-mean"): "trimmed-mean must tolerate at least 1 wrong model, not 0",
    ("--claim", "nan"): "--claim",
    ("--theta", "nonsense"): "--theta",
    ("--phase-seconds", "1"): "--phase-seconds",
    ("--contract", "0x12"): "0x12",
    ("--network", "ethereum:sepolia"): "sepolia",
}
"""Options, and what is said of them."""

ONE_AFTER_THE_OTHER = """
import json, sys
from click.testing import CliRunner
from scripts.crowdfund_round import cli

for options in json.load(sys.stdin):
    done = CliRunner(mix_stderr=False).invoke(cli, options)
    print(json.dumps([done.exit_code, done.stdout, done.stderr]))
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], subprocess.CompletedProcess[str]]:
    """What came of each wrong option, all in one process: Python and ape take seconds to start."""
    folder = tmp_path_factory.mktemp("wrong")
    typed = [["--out", str(folder / "out"), *options] for options in WRONG]
    early = without_torch_and_anvil(folder)
    early["PYTHONPATH"] += f":{ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER],
        cwd=ROOT,
        env={**os.environ, **early},
        input=json.dumps(typed),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert not (folder / "out").exists()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each: subprocess.CompletedProcess([], *said) for each, said in zip(WRONG, found, strict=True)}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_option__wrong__one_line_before_torch_and_the_node_start(
    options: tuple[str, ...], refusals: dict[tuple[str, ...], subprocess.CompletedProcess[str]]
) -> None:
    assert_nothing_started(refusals[options], WRONG[options])


def test_option__wrong_as_typed__one_line_before_torch_and_the_node_start(
    tmp_path: Path, too_early: dict[str, str]
) -> None:
    done = run("--out", str(tmp_path / "out"), "--owners", "1", env=too_early)
    assert_nothing_started(done, WRONG["--owners", "1"])
    assert not (tmp_path / "out").exists()


def test_network__no_such_provider__no_traceback(tmp_path: Path) -> None:
    """Ape's own reading of its option, so click's usage."""
    done = run("--out", str(tmp_path / "out"), "--network", "ethereum:mainnet:foundry")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert "mainnet" in done.stderr


# ── the folder ──


Mount = Callable[..., Path | None]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a disk of so many bytes; None where we may not."""
    with ExitStack() as mounted:

        def mount(size: int, flags: str = "rw") -> Path | None:
            folder = tmp_path / "disk"
            folder.mkdir()
            typed = ["mount", "-t", "tmpfs", "-o", f"size={size},{flags}", "tmpfs", str(folder)]
            if which("mount") is None or subprocess.run(typed, capture_output=True, check=False).returncode:
                return None
            mounted.callback(subprocess.run, ["umount", str(folder)], check=True)
            return folder

        yield mount


def test_out__not_to_be_written_to__one_line(mount: Mount, tmp_path: Path, too_early: dict[str, str]) -> None:
    folder = mount(100_000, "ro")
    if folder is None:
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere, and may not mount a disk here")
        folder = tmp_path / "protected"
        folder.mkdir(0o500)
    assert_nothing_started(run("--out", str(folder), env=too_early), f"--out {folder} cannot be written to")


def test_out__file_where_a_folder_goes__one_line(tmp_path: Path, too_early: dict[str, str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "store").write_text("mine", encoding="utf-8")
    assert_nothing_started(run("--out", str(out), env=too_early), str(out), "store")
    assert (out / "store").read_text(encoding="utf-8") == "mine"


def test_disk__full__one_line_and_what_is_left(mount: Mount, tmp_path: Path) -> None:
    """A full disk or, for who may not mount one, files that may not grow."""
    if (disk := mount(200_000)) is not None:
        out, before = disk / "round", None
    else:
        out = tmp_path / "out"
        before = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (30_000, 30_000))
    done = run("--out", str(out), *SMALL, before=before)
    assert_one_line(done, f"what there is of the round is in {out}")
    # What is full first is a journal, of which SQLite tells, or the store.
    assert re.search("No space left on device|disk is full|disk I/O error|File too large", done.stderr)
    assert "averaged" not in done.stdout, "the disk was full while it trained"
    assert not (out / "round.json").exists(), "half a document would pass for a finished round"


# ── the node ──


def test_node__nobody_at_the_port__one_line(tmp_path: Path) -> None:
    for network in ("http://127.0.0.1:1", "ethereum:local:http://127.0.0.1:1"):
        done = run("--network", network, "--out", str(tmp_path / "out"))
        assert_nothing_started(done, network, "cannot be used")
    assert not (tmp_path / "out").exists()


def test_node__dies_midway__one_line_and_what_is_left(tmp_path: Path) -> None:
    when = "sealed its bids"
    out = tmp_path / "out"
    log = out / "round.log"
    with subprocess.Popen(
        command("--out", str(out), *SMALL), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 120
        while not (log.exists() and when in log.read_text(encoding="utf-8")):
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.01)
        started = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        for child in started.stdout.split():
            os.kill(int(child), signal.SIGKILL)
        done = subprocess.CompletedProcess([], process.wait(), *process.communicate())
    assert_one_line(done, "the node does not answer any more", f"what there is of the round is in {out}")
    assert when in done.stdout


@pytest.fixture(scope="module")
def node() -> Iterator[Chain]:
    """A node of somebody's, with ten funded accounts."""
    with anvil("--accounts", "10", frozen=False) as chain:
        yield chain


def test_node__fewer_funded_accounts_than_members__one_line_before_anything_is_sent(
    node: Chain, tmp_path: Path
) -> None:
    before = node.rpc("eth_blockNumber")
    done = run("--network", node.uri, "--owners", "20", "--base-stations", "20", "--out", str(tmp_path / "out"))
    assert_nothing_started(done, "41 of ape's test accounts", "31 have none", "anvil --accounts 41")
    assert node.rpc("eth_blockNumber") == before
    assert not (tmp_path / "out").exists()


def test_node__of_another_chain__one_line(node: Chain, tmp_path: Path) -> None:
    done = run("--network", f"ethereum:local:{node.uri}", "--out", str(tmp_path / "out"))
    assert_nothing_started(done, "chain id 31337", "--network http://")


def test_phase__over_too_soon__names_the_option(node: Chain, tmp_path: Path) -> None:
    node.rpc("anvil_setBlockTimestampInterval", 30)
    try:
        done = run("--network", node.uri, "--out", str(tmp_path / "out"), *SMALL, "--phase-seconds", "60")
    finally:
        node.rpc("anvil_removeBlockTimestampInterval")
    assert_one_line(done, "--phase-seconds 60 is too short", "the deadline for this call")
