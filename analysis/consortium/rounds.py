"""The consortium's rounds: one deployment, one membership list, a process for each member, and who is killed."""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from analysis.consortium.chain import BLOCK_SECONDS, Node
from analysis.consortium.fire import Process
from analysis.consortium.organisations import VALUES, ConsortiumError, Organisation
from analysis.consortium.pace import Pace
from fl.market.client import Market
from fl.market.deployment import located

PHASES = {"join": 400, "commit": 100, "reveal": 120, "select": 60, "train": 200, "report": 100, "vote": 100}
"""Blocks that each phase lasts at most; where nobody is missing, no one waits for the end of one."""

LONGEST = 400
"""Seconds that a round may take."""

BETWEEN_KILLS = (6.0, 15.0)
"""Seconds from one SIGKILL to the next, at random."""


def write_terms(root: Path, longer: int = 1) -> Path:
    """Write the terms of a round.

    Args:
        root: the folder.
        longer: how many times as long as usual each phase may take.
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


class Consortium:
    """Six organisations and what they share.

    Args:
        root: for what they hand each other: the deployment's record, the membership list, terms.
        node: of the chain.
        members: the organisations; the first deploys, and makes the list and the rounds.
        deviants: who is not honest, and how.
        killed: who is ended by SIGKILL now and then, and started again.
        seed: of the moments at which.
    """

    def __init__(
        self,
        root: Path,
        node: Node,
        members: Sequence[Organisation],
        deviants: dict[str, str],
        killed: Sequence[str],
        seed: int,
    ):
        self._root, self._node, self._members = root, node, members
        self._deviants, self._killed = deviants, killed
        self._random = random.Random(seed)
        self._next_kill = 0.0
        self._processes: dict[str, Process] = {}

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
            ConsortiumError: a member's process failed, or it takes too long.
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
                self._until(pace.over)
                print(f"Round {number} is settled")
            self._until(lambda: not any(each.is_running for each in self._processes.values()))
            for number in numbers:
                self._audit(number)
        finally:
            for process in self._processes.values():
                process.end()
        for process in self._processes.values():
            print(process.log)
        if self._killed:
            kills = sum(process.kills for process in self._processes.values())
            print(f"{', '.join(self._killed)}: ended by SIGKILL {kills} times in all, and started again")

    def _audit(self, number: int) -> None:
        """The round as a document, worked out again by an owner that did not write it; stations train again."""
        writer, auditor, *_ = (each for each in self._members if each.role == "owner")
        path = self._root / f"round-{number}.json"
        print(writer.run("record", str(number), "--config", str(writer.config), "--out", str(path)))
        print(auditor.run("audit", str(number), "--config", str(auditor.config), "--document", str(path)))
        for each in self._members:
            if each.role != "owner" and each.name not in self._deviants:
                print(each.run("audit", str(number), "--config", str(each.config), "--station", "own"))

    def _program(self, member: Organisation) -> Sequence[str] | None:
        cheat = self._deviants.get(member.name)
        return None if cheat is None else [sys.executable, "-m", "analysis.consortium.deviant", cheat]

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
        first, self._next_kill = not self._next_kill, time.monotonic() + self._random.uniform(*BETWEEN_KILLS)
        process = self._processes[self._random.choice(self._killed)]
        if not first and process.is_running:
            process.kill()
            process.start()
