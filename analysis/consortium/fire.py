"""A member's process under fire, and what must be true of the chain after it."""

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from analysis.consortium.chain import ended
from analysis.consortium.organisations import ConsortiumError, Organisation
from analysis.devnode.chain import Chain
from analysis.devnode.codec import Codec
from fl.market.client import interface

ANYONES = ("drawClaimant", "selectModel", "settle", "settleMany")
"""Of two members that do at once what anybody may do, one is refused."""

PAUSE = "0.3"
"""Seconds between a member's looks."""


@dataclass
class Process:
    """The command of a member that plays rounds; it can be killed, and typed again.

    Attributes:
        member: whose.
        rounds: their numbers.
        program: what plays in place of `ape run`; None: that.
        kills: how often it was ended by SIGKILL.
    """

    member: Organisation
    rounds: Sequence[int]
    program: Sequence[str] | None = None
    kills: int = 0
    _running: "subprocess.Popen[str] | None" = field(default=None)
    _silent_at: int = 0

    @property
    def words(self) -> list[str]:
        """The command, behind its program."""
        command = "owner" if self.member.role == "owner" else "base_station"
        return [command, *map(str, self.rounds), "--config", str(self.member.config), "--pause", PAUSE]

    @property
    def log(self) -> str:
        """All that it has printed."""
        path = self.member.folder / "member.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def has_spoken(self) -> bool:
        """Whether it has printed anything since it was started."""
        return len(self.log) > self._silent_at

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Type the command."""
        self._silent_at = len(self.log)
        self._running = self.member.start(self.words, self.program, environment or {})

    def kill(self) -> None:
        """End it by SIGKILL."""
        assert self._running is not None
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()
        self.kills += 1

    def check(self) -> None:
        """See that it has not failed.

        Raises:
            ConsortiumError: it has.
        """
        if self._running is not None and (code := self._running.poll()):
            raise ConsortiumError(f"{self.member.name} ended with {code}: {self.log[-2_000:]}")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet.

        Raises:
            ConsortiumError: it failed.
        """
        self.check()
        return self._running is not None and self._running.poll() is None

    def end(self) -> None:
        """End it, if it runs."""
        if self._running is not None:
            ended(self._running, 5)

    def wait(self, seconds: float) -> None:
        """Until it has ended by itself.

        Raises:
            ConsortiumError: it failed, or it takes too long.
        """
        end = time.monotonic() + seconds
        while self.is_running:
            if time.monotonic() > end:
                raise ConsortiumError(f"{self.member.name} does not end in {seconds} s: {self.log[-2_000:]}")
            time.sleep(0.05)


@contextmanager
def process(member: Organisation, *rounds: int) -> Iterator[Process]:
    """A member's command, not typed yet; ended on leaving."""
    made = Process(member, rounds)
    try:
        yield made
    finally:
        made.end()


def transactions(chain: Chain, account: str) -> list[dict[str, Any]]:
    """All that an account has in the chain, in its order, each with its status."""
    found = []
    for number in range(int(chain.rpc("eth_blockNumber"), 16) + 1):
        block = chain.rpc("eth_getBlockByNumber", hex(number), True)
        found += [each for each in block["transactions"] if each["from"] == account.lower()]
    for each in found:
        each["status"] = int(chain.rpc("eth_getTransactionReceipt", each["hash"])["status"], 16)
    return found


def calls(chain: Chain, account: str) -> Counter[str]:
    """How often an account's calls of each function are in the chain, and succeeded."""
    codec = Codec(interface())
    return Counter(codec.function_of(each["input"]) for each in transactions(chain, account) if each["status"])


def off_transactions(chain: Chain, members: Sequence[Organisation]) -> list[str]:
    """One line for each call of a member that is in the chain twice, or failed there."""
    off, codec = [], Codec(interface())
    for each in members:
        sent = [one for one in transactions(chain, each.address) if one["input"] != "0x"]
        twice = [call for call, count in Counter((one["to"], one["input"]) for one in sent).items() if count > 1]
        off += [f"{each.name} sent {codec.function_of(call)} twice" for _, call in twice]
        failed = [codec.function_of(one["input"]) for one in sent if not one["status"]]
        off += [f"{each.name}: {call} failed" for call in failed if call not in ANYONES]
    return off


def off_round(result: Mapping[str, Any], members: Sequence[Organisation]) -> list[str]:
    """One line for each way in which a round did not end as an undisturbed one does.

    Args:
        result: as the company says it.
        members: all.
    """
    off = [f"round {result['round']}: {each} is another than undisturbed" for each in result["off"]]
    off += [f"round {result['round']}: alert of somebody undisturbed: {each}" for each in result["alerts"]]
    if result["status"] != "REPORTED":
        off.append(f"round {result['round']} ended as {result['status']}")
    for each in members:
        found = result["members"].get(each.address)
        if found is None:
            off.append(f"{each.name} did not join round {result['round']}")
            continue
        said = {
            "was not settled": not found["settled"],
            "was slashed": found["slashed"] > 0,
            "missed its reveal": not (found["revealed"] or found["claimant"]),
        }
        off += [f"{each.name} {what} in round {result['round']}" for what, is_so in said.items() if is_so]
    return off


def off_models(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each round with other models than one before it whose base stations were in the same order."""
    models: dict[tuple[str, ...], Any] = {}
    off = []
    for each in results:
        if models.setdefault(tuple(each["stations"]), each["models"]) != each["models"]:
            off.append(f"round {each['round']} has other models than one like it")
    return off
