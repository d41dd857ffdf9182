"""A member's command, `ape run owner`, while all that it stands on fails: its node, its chain, its machine, its disk.

Each fault of the list happens once in one round, to the process of the owner whose model wins; a proxy stands between
it and the node. The other members, who see nothing of this, are in a process of their own. In a round after it the
chain goes back again and again; in one more, with the marker heavy, members are killed at random moments.
"""

import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from analysis.consortium.chain import Node, anvil
from analysis.consortium.company import PROPOSER, Company, company
from analysis.consortium.fire import Process, calls, off_models, off_round, off_transactions, process
from analysis.consortium.kills import LONGEST, Range
from analysis.consortium.organisations import COSTS, Organisation, configure, found
from analysis.devnode.chain import Chain
from analysis.devnode.codec import Codec
from fl.market.client import interface
from tests.support.proxy import LoseAnswer, LoseRequest, Proxy, Reply, Stall, proxied

pytestmark = pytest.mark.slow  # a minute, in which it mostly waits

BLOCK = 0.25
DISK = 2_000_000
"""Bytes of the disk that the journal is on."""
STORE = 16_000_000
"""Bytes of the disk that the store is on."""
CC = shutil.which("cc")
SECONDS = 3
"""Within twice of which the members of the second round are killed."""
CLOCK = Path(__file__).parents[1] / "support" / "clock_off.c"
RICH = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""An account whose key the node holds."""
SEND = "eth_sendRawTransaction"
CODEC = Codec(interface())


def until(done: Callable[[], Any], what: str, seconds: float = 300) -> None:
    """Wait."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"{what}: not in {seconds} s"
        time.sleep(0.02)


@dataclass
class Scene:
    """One winner under fire, and all others.

    Attributes:
        proxy: before the node of the winner.
        theirs: before the node of all others.
        disk: that the winner's journal is on.
        store: all share it; a small disk too.
        results: of each round, as the company has it.
        seen: what was observed of each fault.
    """

    here: Node
    proxy: Proxy
    theirs: Proxy
    others: Company
    members: list[Organisation]
    disk: Path
    store: Path
    results: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def alice(self) -> Organisation:
        return next(each for each in self.members if each.name == PROPOSER)

    @property
    def journal(self) -> Path:
        return self.disk / "journal.sqlite"

    @property
    def alerts(self) -> str:
        path = self.alice.folder / "alerts"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def sends(self, function: str) -> list[str]:
        """The signed transactions with a call of this function that came to the proxy, each once."""
        return [raw for raw in self.proxy.sent() if function in names(raw)]

    def at_send(self, function: str, do: Callable[[], None], proxy: Proxy | None = None) -> None:
        """Do something once, when the next call of a function is sent, before the node gets it."""
        once = threading.Lock()

        def matches(method: str, params: list[Any]) -> bool:
            if function in names(params[0]) and once.acquire(blocking=False):
                do()
            return False

        (proxy or self.proxy).fail(Stall(0), SEND, matches=matches)

    def back_up(self, name: str) -> None:
        """Copy the journal as a snapshot of the disk would have it."""
        folder = self.alice.folder / name
        folder.mkdir()
        for path in (self.journal, self.journal.with_name(self.journal.name + "-wal")):
            with suppress(FileNotFoundError):
                shutil.copy(path, folder)

    def put_back(self, name: str) -> None:
        """Make a copy the journal."""
        for suffix in ("", "-wal", "-shm"):
            self.journal.with_name(self.journal.name + suffix).unlink(missing_ok=True)
        for path in (self.alice.folder / name).iterdir():
            shutil.copy(path, self.disk)

    def halt(self) -> None:
        """Have no more blocks mined."""
        Chain(self.here.url).rpc("evm_setIntervalMining", 0)

    def go_on(self) -> None:
        """Mine again; anvil itself would do so in whole seconds only."""

        def mine() -> None:
            chain = Chain(self.here.url)
            with suppress(OSError, HTTPException):  # until the node is gone
                while True:
                    time.sleep(BLOCK)
                    chain.rpc("evm_mine")

        threading.Thread(target=mine, daemon=True).start()


def reorganised(url: str) -> bool:
    """Have the chain go back three blocks, of which at least the last is another then: whether it is."""
    chain = Chain(url)  # a connection is for one thread
    chain.rpc("eth_sendTransaction", {"from": RICH, "to": RICH})  # of empty blocks the same ones would come again
    chain.rpc("evm_mine")
    before = chain.rpc("eth_getBlockByNumber", "latest", False)
    chain.rpc("anvil_reorg", 3, [])
    same = chain.rpc("eth_getBlockByNumber", before["number"], False)
    return same is None or bool(same["hash"] != before["hash"])


def names(raw: str) -> list[str]:
    """The function that a signed transaction calls, if it calls one of the contract's."""
    return [name for name in CODEC.functions if CODEC.call_prefix(name) in raw]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes; who is not root may have none."""
    folder.mkdir()
    typed = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(typed, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted: it takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Leave no room on a disk; the file that takes it."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast


@pytest.fixture(scope="module", params=[1.5, pytest.param(45.0, marks=pytest.mark.heavy)], ids=["short", "45 s away"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All of it, played: a round with every fault; with the longer outage: `make test ARGS="-m heavy -k away"`."""
    root = tmp_path_factory.mktemp("members")
    with ExitStack() as stack:
        here = stack.enter_context(anvil(BLOCK))
        proxy, theirs = (stack.enter_context(proxied(here.url)) for _ in range(2))
        disk, store = (
            stack.enter_context(small_disk(root / name, size)) for name, size in (("disk", DISK), ("store", STORE))
        )
        members = found(root, here.chain)
        for each in members:
            configure(each, [here.url], str(store), {}, proposers=[PROPOSER])
        scene = Scene(here, proxy, theirs, None, members, disk, store)  # type: ignore[arg-type]
        reconfigure(scene)
        scene.others = stack.enter_context(company(root, theirs.uri, members))
        scene.others.heard(LONGEST, founded=True)
        with process(scene.alice, 1) as alice:
            play(scene, alice, request.param)
        yield scene


def reconfigure(scene: Scene) -> None:
    """The winner's node is the proxy, its journal on the small disk, and its alerts are written down."""
    alice = scene.alice
    hook = alice.folder / "alert hook"
    hook.write_text(f'#!/bin/sh\necho "$2: $3" >> {alice.folder}/alerts\n', encoding="utf-8")
    hook.chmod(0o755)
    document = json.loads(alice.config.read_text(encoding="utf-8"))
    document |= {"nodes": [scene.proxy.uri], "journal": str(scene.journal), "alert": f"'{hook}' --to oncall"}
    alice.config.write_text(json.dumps(document), encoding="utf-8")


def clock(scene: Scene, seconds: int) -> dict[str, str]:
    """The environment of a machine whose clock is off; libfaketime breaks the waiting of Python 3.11."""
    if CC is None:
        return {}
    library = scene.alice.folder / "clock_off.so"
    if not library.exists():
        subprocess.run([CC, "-shared", "-fPIC", "-o", str(library), str(CLOCK), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_OFF": str(seconds)}


def clock_of(process: Process) -> float:
    """Seconds by which the clock of a member's machine is ahead, as another program in its environment sees it."""
    assert process._running is not None
    read = Path(f"/proc/{process._running.pid}/environ").read_bytes().decode().split("\0")
    environment = dict(each.split("=", 1) for each in read if "=" in each)
    typed = [sys.executable, "-S", "-c", "import time; print(time.time())"]
    done = subprocess.run(typed, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout) - time.time()


def play(scene: Scene, alice: Process, away: float) -> None:
    """The round with every fault, in the order of the list below."""
    proxy, chain = scene.proxy, scene.here.chain

    # The answer to a send is lost.
    proxy.fail(LoseAnswer(), SEND, matches=lambda method, params: "join" in names(params[0]))

    # The chain goes back three blocks before a send; a copy of the journal is from then, before any bid.
    def before_proposing() -> None:
        scene.back_up("before")
        scene.seen["reorganised"] = reorganised(scene.here.url)

    scene.at_send("propose", before_proposing)

    # The disk is full while the bid is signed; that of the store already while the texts of the proposal are left.
    filled = threading.Event()

    def at_estimate(method: str, params: list[Any]) -> bool:
        data = params[0].get("data", params[0].get("input", ""))
        if CODEC.function_of(data) == "commitBid" and not filled.is_set():
            fill(scene.disk)
            filled.set()
        return False

    proxy.fail(Stall(0), "eth_estimateGas", matches=at_estimate)
    # No bid is revealed before the member is killed: its request never arrives.
    reveals = {"lost": True}
    proxy.fail(LoseRequest(), SEND, 10_000, lambda method, params: reveals["lost"] and "revealBid" in names(params[0]))

    ballast = fill(scene.store)
    alice.start(clock(scene, +600))
    scene.others.play(PROPOSER)
    until(lambda: f"cannot be written to {scene.store}" in scene.alerts, "an alert of the full store")
    scene.seen["full store"] = scene.sends("propose")
    ballast.unlink()
    until(filled.is_set, "the bid is to be signed")
    until(lambda: f"{scene.journal} cannot be written to" in scene.alerts, "an alert of the full disk")
    scene.seen["full"] = scene.alerts
    scene.seen["clocks"] = [clock_of(alice)]
    assert not scene.sends("commitBid"), "what could not be written down was sent"
    (scene.disk / "ballast").unlink()

    # The node goes away, answers 429 and 503, and stalls.
    until(lambda: calls(chain, scene.alice.address)["commitBid"], "the bid is in the chain")
    proxy.close()
    time.sleep(away)
    broken: list[str] = scene.seen.setdefault("broken", [])
    proxy.fail(Reply(429), times=3, matches=lambda method, params: broken.append(method) is None)
    proxy.fail(Reply(503), times=3, matches=lambda method, params: broken.append(method) is None)
    proxy.fail(Stall(1 if away < 15 else 20))
    proxy.open()

    # SIGKILL in the reveal phase, between signing and sending; then an old journal, from before the bid.
    until(lambda: scene.sends("revealBid"), "the bid is to be revealed")
    alice.kill()
    scene.back_up("right")
    scene.put_back("before")
    reveals["lost"] = False
    scene.seen["reveals before"] = scene.sends("revealBid")
    alice.start(clock(scene, -600))
    until(lambda: "put back the right one" in scene.alerts, "an alert of the wrong journal")
    scene.seen["sent with the old journal"] = [
        raw for raw in scene.sends("revealBid") if raw not in scene.seen["reveals before"]
    ]
    scene.seen["clocks"].append(clock_of(alice))
    alice.kill()
    scene.put_back("right")
    alice.start()

    # A second process of the same account; and a transaction that leaves a gap, by another hand.
    until(lambda: calls(chain, scene.alice.address)["revealBid"], "the bid is revealed")
    command, own = scene.alice.command(*alice.words), scene.alice.environment
    scene.seen["second"] = subprocess.run(
        command, env=own, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    scene.seen["gap"] = leave_a_gap(scene)

    # A transaction is pending while its sender is killed, started again, and then mined.
    held = threading.Event()

    def hold() -> None:
        scene.halt()
        held.set()

    scene.at_send("reportContributions", hold)
    until(held.is_set, "the contributions are to be listed")
    until(lambda: int(chain.rpc("txpool_status")["pending"], 16), "they are pending")
    alice.kill()
    asked = len(proxy.requests)
    alice.start()
    receipt = "eth_getTransactionReceipt"
    until(lambda: any(method == receipt for method, _ in proxy.requests[asked:]), "the receipt is looked for")
    scene.seen["sent while pending"] = [method for method, _ in proxy.requests[asked:]].count(SEND)
    scene.go_on()

    # An old journal, from after the bid.
    until(lambda: calls(chain, scene.alice.address)["reportResult"], "the model is reported")
    alice.kill()
    scene.put_back("right")
    alice.start()
    alice.wait(LONGEST)
    scene.seen["log"] = alice.log
    scene.results.append(scene.others.heard(LONGEST, round=1, status=any))


def leave_a_gap(scene: Scene) -> str:
    """A transaction of the same account, one nonce too far; its hash."""
    alice, chain = scene.alice, scene.here.chain
    key_file = alice.folder / "ape" / "accounts" / f"{alice.name}.json"
    key = Account.decrypt(json.loads(key_file.read_text(encoding="utf-8")), alice.passphrase)
    count = int(chain.rpc("eth_getTransactionCount", alice.address, "pending"), 16)
    transfer = {"to": alice.address, "value": 1, "gas": 21_000, "nonce": count + 1, "chainId": 31_337}
    signed = Account.sign_transaction({**transfer, "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}, key)
    sent: str = chain.rpc(SEND, "0x" + signed.raw_transaction.hex().removeprefix("0x"))
    return sent


# ── what came of it ──


def test_round__with_every_fault__ends_as_if_undisturbed(scene: Scene) -> None:
    assert off_round(scene.results[0], scene.members) == []


def test_calls__with_every_fault__each_in_the_chain_once(scene: Scene) -> None:
    assert off_transactions(scene.here.chain, scene.members) == []
    once = Counter(join=1, propose=1, commitBid=1, revealBid=1, recordGlobalRound=2, reportContributions=1)
    once += Counter(reportResult=1)  # anybody may have settled her
    found_ = calls(scene.here.chain, scene.alice.address)
    assert {name: count for name, count in found_.items() if name in once} == dict(once)


def test_answer_of_a_send__lost__the_same_bytes_are_found(scene: Scene) -> None:
    assert len(scene.sends("join")) == 1


def test_chain__goes_back_three_blocks_before_a_send__no_other_proposal_is_signed(scene: Scene) -> None:
    assert scene.seen["reorganised"]
    assert len(scene.sends("propose")) == 1


def test_disk__full__an_alert_names_the_journal_and_nothing_is_sent(scene: Scene) -> None:
    assert str(scene.journal) in scene.seen["full"]
    assert len(scene.sends("commitBid")) == 1


def test_store__full__an_alert_names_it_and_the_proposal_comes_once_its_texts_are_there(scene: Scene) -> None:
    assert scene.seen["full store"] == []
    assert len(scene.sends("propose")) == 1


def test_node__away_busy_and_stalling__is_waited_for(scene: Scene) -> None:
    assert len(scene.seen["broken"]) == 6, "each answer of a busy node came"


def test_reveal__killed_between_signing_and_sending__the_same_bytes_are_sent(scene: Scene) -> None:
    assert len(scene.seen["reveals before"]) == 1
    assert scene.sends("revealBid") == scene.seen["reveals before"]


def test_journal__from_before_the_bid__an_alert_and_no_reveal(scene: Scene) -> None:
    assert scene.seen["sent with the old journal"] == []
    assert "put back the right one" in scene.alerts


def test_second_process__of_the_same_account__refuses_in_one_line(scene: Scene) -> None:
    done = scene.seen["second"]
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "another process runs this member" in line


def test_gap__of_another_hand__is_filled_by_the_next_call_and_passed_over(scene: Scene) -> None:
    receipt = scene.here.chain.rpc("eth_getTransactionReceipt", scene.seen["gap"])
    assert receipt is not None and int(receipt["status"], 16) == 1


def test_transaction__pending_over_a_restart__is_followed_and_not_sent_anew(scene: Scene) -> None:
    assert scene.seen["sent while pending"] == 0
    assert len(scene.sends("reportContributions")) == 1


@pytest.mark.skipif(CC is None, reason="there is no C compiler: apt-get install gcc")
def test_clock__ten_minutes_off__is_not_looked_at(scene: Scene) -> None:
    """The member's clock was ten minutes fast when it sealed its bid, and ten minutes slow when it was to reveal it."""
    assert [round(each / 60) for each in scene.seen["clocks"]] == [10, -10]
    assert off_round(scene.results[0], scene.members) == []


@pytest.mark.heavy  # `make kills` has fifty
def test_kills__two_at_random_moments__the_round_ends_as_undisturbed(scene: Scene) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    target = next(iter(COSTS))
    fire = Range(scene.here, scene.others, scene.members, [target], seed, len(scene.results), SECONDS)
    tally = fire.fire(2, False)
    assert tally.off == (), f"seed {seed}"
    assert tally.random, f"seed {seed}: nobody was hit"
    results = [each for each in scene.others.said if "status" in each]
    assert off_models(results) == [], f"seed {seed}"


FALLS_BACK = ("commitBid", "revealBid", "recordUpdate", "recordGlobalRound", "reportResult", "vote", "settle")


def test_chain__goes_back_three_blocks_before_a_send_of_each_kind__the_round_ends_as_undisturbed(scene: Scene) -> None:
    """Whatever was in these blocks is gone: bids, the draw, records. Each member sees to its own."""
    gone: list[str] = []
    number = len([each for each in scene.others.said if "status" in each]) + 1

    def reorganise(function: str) -> None:
        if reorganised(scene.here.url):
            gone.append(function)

    for function in FALLS_BACK:
        scene.at_send(function, partial(reorganise, function), scene.theirs)
    before = {each.name: calls(scene.here.chain, each.address) for each in scene.members}
    scene.others.play()
    result = scene.others.heard(LONGEST, round=number, status=any)
    result["alerts"] = [each for each in result["alerts"] if "dropped transactions that it had" not in each]
    assert sorted(gone) == sorted(FALLS_BACK)
    assert off_round(result, scene.members) == []
    assert off_models([each for each in scene.others.said if "status" in each]) == []
    for each in scene.members:
        once = calls(scene.here.chain, each.address) - before[each.name]
        duties = ("join", "propose", "commitBid", "revealBid", "recordGlobalRound", "reportResult", "vote")
        assert all(once[name] <= (2 if name == "recordGlobalRound" else 1) for name in duties), (each.name, once)
