"""The consortium's rounds: one deployment, one membership list, a process for each member, and who is killed."""

import json
import random
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from analysis.consortium.chain import BLOCK_SECONDS, Node
from analysis.consortium.cheats import CHEATS
from analysis.consortium.fire import Process, off_transactions
from analysis.consortium.organisations import VALUES, ConsortiumError, Organisation
from analysis.consortium.pace import Pace
from analysis.consortium.story import MUTE, story
from fl.market.client import Market
from fl.market.deployment import located
from fl.record.history import rebuild

PHASES = {"join": 1600, "commit": 400, "reveal": 480, "select": 240, "train": 800, "report": 400, "vote": 400}
"""Blocks that each phase lasts at most: long, for a slow machine; where nobody is missing, no one waits for its end."""

LONGEST = 600
"""Seconds that a round may take."""

BETWEEN_KILLS = (6.0, 15.0)
"""Seconds from one SIGKILL to the next, at random."""


def write_terms(root: Path, longer: int = 1) -> Path:
    """Write the terms of a round.

    Args:
        root: the folder.
        longer: how many times as long as usual each phase may last.
    """
    terms: dict[str, Any] = {
        "max_owner_bid": "100 gwei",
        "max_station_bid": "50 gwei",
        "bond": "200 gwei",
        "contribution_stake": "10 gwei",
        "owner_policy": "equal",
        "surplus_bps": [2000, 6000],
        "threshold_bps": 5000,
        "tolerance_bps": 300,
        "max_models": 16,
        "deadlines": {name: f"{longer * blocks * BLOCK_SECONDS} s" for name, blocks in PHASES.items()},
        "finality": {"confirmations": 1, "block_time": f"{BLOCK_SECONDS} s", "margin": "4 s"},
    }
    path = root / "terms.yaml"
    path.write_text(json.dumps(terms), encoding="utf-8")
    return path


def write_table(root: Path, members: Sequence[Organisation]) -> Path:
    """Write the table of members, each with its key card, that a membership list is made of."""
    lines = ["account,role,key_card,name"]
    for each in members:
        lines.append(f"{each.address},{each.role},{each.folder / 'journal.card.json'},{each.name}")
    table = root / "members.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def left_out_in(audit: str) -> dict[int, dict[str, str]]:
    """Whom the winner left out and why, by global round (from 0) and account, as `ape run audit` tells it."""
    found: dict[int, dict[str, str]] = {}
    for line in audit.splitlines():
        if head := re.match(r"global round (\d+): of ", line):
            found[int(head[1]) - 1] = {}
        elif without := re.match(r"  without (0x\w{40}): (.*)", line):
            found[max(found)][without[1]] = without[2]
    return found


class Consortium:
    """Six organisations and what they share.

    Args:
        root: for what they hand each other: the deployment's record, the membership list, terms.
        node: of the chain.
        members: the organisations; the first deploys, and makes the list and the rounds.
        deviants: who is not honest, and how in each round.
        killed: who is ended by SIGKILL now and then, and started again.
        seed: of the moments at which.
    """

    def __init__(
        self,
        root: Path,
        node: Node,
        members: Sequence[Organisation],
        deviants: Mapping[str, Mapping[int, str]],
        killed: Sequence[str],
        seed: int,
    ):
        self._root, self._node, self._members = root, node, members
        self._deviants, self._killed = deviants, killed
        self._random = random.Random(seed)
        self._next_kill = 0.0
        self._processes: dict[str, Process] = {}
        self._began, self._told = time.monotonic(), ""

    @property
    def _maker(self) -> Organisation:
        return self._members[0]

    def found(self) -> None:
        """Deploy the contract, and list the members."""
        url, root = self._node.url, self._root
        print(self._maker.run("deploy", "--network", url, "--account", self._maker.name, "--folder", str(root)))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: each.run("membership", "--card", "--config", str(each.config)), self._members))
        table, out = write_table(root, self._members), root / "membership.json"
        print(self._maker.run("membership", str(table), "--config", str(self._maker.config), "--out", str(out)))

    def play(self, rounds: int) -> None:
        """Play rounds, one after the other; every member's process takes part in all of them.

        Raises:
            ConsortiumError: a member's process failed, it takes too long, or what came of it is not as it should be.
        """
        numbers = range(1, rounds + 1)
        market = Market.at(located(str(self._root / "31337.json"))[0])
        accounts = tuple(each.address for each in self._members)
        try:
            for each in self._members:
                process = self._processes[each.name] = Process(each, numbers, self._program(each))
                process.start()
            for number in numbers:
                self._create()
                pace = Pace(self._node, market, number, accounts, len(VALUES))
                self._until(lambda pace=pace: self._is_over(pace))  # type: ignore[misc]
            self._until(lambda: not any(each.is_running for each in self._processes.values()))
        finally:
            for process in self._processes.values():
                process.end()
        for process in self._processes.values():
            print(f"\n── {process.member.name}, {process.member.role} ──\n{self._named(process.log)}")
        stories = [line for number in numbers for line in self._audited(market, number)]
        print("── what came of it ──", *stories, *self._kills(), sep="\n")
        seconds = time.monotonic() - self._began
        print(f"{rounds} rounds, {len(self._members)} statements, and all follows: {seconds:.0f} s", flush=True)

    def _is_over(self, pace: Pace) -> bool:
        state = pace.market.round_state(pace.round_id)
        is_over = pace.over()
        told = f"round {pace.round_id}: {'everybody is settled' if is_over else state.phase.name.lower()}"
        if told != self._told:
            self._told = told
            print(f"{time.monotonic() - self._began:5.0f} s  {told}", flush=True)
        return is_over

    # ── what came of it ──

    def _audited(self, market: Market, number: int) -> list[str]:
        """Its story; first the round as a document, worked out again by an owner that did not write it.

        Raises:
            ConsortiumError: something does not follow, or one that was not honest was not noticed.
        """
        writer, auditor, *_ = (each for each in self._members if each.role == "owner")
        path = self._root / f"round-{number}.json"
        writer.run("record", str(number), "--config", str(writer.config), "--out", str(path))
        with ThreadPoolExecutor(2) as pool:
            command = ("audit", str(number), "--config", str(auditor.config), "--document", str(path))
            audit = pool.submit(auditor.run, *command)
            stations = {
                each.name: pool.submit(each.run, "audit", str(number), "--config", str(each.config), "--station", "own")
                for each in self._members
                if each.role != "owner" and each.name not in self._deviants
            }
        left_out = left_out_in(audit.result())
        print(f"── round {number}, worked out again by {auditor.name} ──\n{self._named(audit.result())}")
        for name, again in stations.items():
            print(f"{name} trains again: {again.result()}")
        events = market.events(number)
        record = rebuild(events)
        block = next((hex(each.block) for each in events if each.name == "ClaimantDrawn"), "latest")
        drawn = self._node.chain.rpc("eth_getBlockByNumber", block, False)
        self._check_noticed(number, left_out)
        deviants = {each.address: how for each in self._members if (how := self._deviance(each, number)) is not None}
        return [self._named(line) for line in story(record, left_out, deviants, int(drawn["mixHash"], 16))]

    def _check_noticed(self, number: int, left_out: Mapping[int, Mapping[str, str]]) -> None:
        for member in self._members:
            how = self._deviance(member, number)
            if how is None or how == MUTE:
                continue
            if not left_out or not all(CHEATS[how][1] in each.get(member.address, "") for each in left_out.values()):
                raise ConsortiumError(f"round {number}: {member.name} ({how}) was not left out for it: {left_out}")

    def _kills(self) -> list[str]:
        if not self._killed:
            return []
        kills = sum(process.kills for process in self._processes.values())
        off = off_transactions(self._node.chain, [each for each in self._members if each.name in self._killed])
        if off:
            raise ConsortiumError("; ".join(off))
        return [
            f"{', '.join(self._killed)}: ended by SIGKILL {kills} times in all, and started again; "
            "no call of theirs is in the chain twice"
        ]

    def _named(self, text: str) -> str:
        """With names for accounts."""
        for each in self._members:
            text = text.replace(each.address, each.name)
        return text

    # ── who plays how ──

    def _deviance(self, member: Organisation, number: int) -> str | None:
        return self._deviants.get(member.name, {}).get(number)

    def _program(self, member: Organisation) -> Sequence[str] | None:
        chosen = self._deviants.get(member.name)
        if chosen is None:
            return None
        cheats = [word for number, how in chosen.items() for word in ("--cheat", str(number), how)]
        return [sys.executable, "-m", "analysis.consortium.deviant", *cheats]

    def _create(self) -> None:
        path = write_terms(self._root)
        self._maker.run("create_round", str(path), "--config", str(self._maker.config), "--yes", "--another")

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + LONGEST
        while not done():
            self._kill_somebody()
            for each in self._processes.values():
                each.check()
            if time.monotonic() > end:
                raise ConsortiumError(f"a round takes longer than {LONGEST} s")
            time.sleep(0.3)

    def _kill_somebody(self) -> None:
        if not self._killed or time.monotonic() < self._next_kill:
            return
        self._next_kill = time.monotonic() + self._random.uniform(*BETWEEN_KILLS)
        process = self._processes[self._random.choice(self._killed)]
        # On a slow machine a start takes longer than a while: whoever has done nothing since would never do anything.
        if process.has_spoken and process.is_running:
            process.kill()
            process.start()
