"""The members that nobody disturbs, all in one process, which also founds what they share and makes the rounds.

Told on its standard input, a line of JSON for each round, which members are left out, since they run as processes of
their own. Says what happens on its standard output: lines of JSON among those that the members say.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from analysis.consortium.chain import Node, ended
from analysis.consortium.organisations import COSTS, ConsortiumError, Organisation
from analysis.consortium.rounds import write_table, write_terms

LONGER = 4
"""Times that each phase may last as long as in a consortium: whoever is ended in it is to have time to come back.

Also on a machine that is busy. A phase in which all have done what they can ends at once, however long it may last.
"""

PROPOSER = "alice"
"""The only one, so that every round trains the same model."""


# ── the process ──


def main(arguments: Sequence[str]) -> None:
    """Found a consortium, and play a round for each line that is read.

    Args:
        arguments: the folder with the members' folders, the node's address, and the names of the members.
    """
    from analysis.devnode.chain import Chain
    from fl.market.nodes import connected
    from fl.members.configuration import MemberConfiguration

    root, url, names = Path(arguments[0]), arguments[1], arguments[2:]
    # One node for all: of several connections at once, ape ends the wrong ones.
    configurations = {
        name: replace(MemberConfiguration.read(root / name / "member.yaml"), nodes=(url,)) for name in names
    }
    node = Node(url, Chain(url))
    with connected([url]) as provider:
        _found(root, configurations, provider)
        _say(founded=True)
        for number, line in enumerate(sys.stdin, 1):
            _say(**_Round(root, node, configurations, number, json.loads(line)).play())


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def _found(root: Path, configurations: dict[str, Any], provider: Any) -> None:
    """Deploy the contract, and list the members."""
    from ape import project

    from fl.market.connection import account_named
    from fl.market.deployment import Deploying
    from fl.members.access import Access
    from fl.members.listing import make_card, make_list

    maker = list(configurations)[-1]
    Deploying(project, provider, root, lambda text: None).deploy(account_named(maker))
    for name, each in configurations.items():
        make_card(Access(configuration=each), None, False, root / name / "journal.card.json")
    make_list(Access(configuration=configurations[maker]), root / "members.csv", "equal", root / "membership.json")


class _Round:
    def __init__(self, root: Path, node: Node, configurations: dict[str, Any], number: int, outside: Sequence[str]):
        self._root, self._node, self._number = root, node, number
        self._configurations, self._outside = configurations, outside
        self._phase = ""

    def play(self) -> dict[str, Any]:
        """Play it to its end; what came of it."""
        from fl.members.access import Access
        from fl.members.assembly import desk
        from fl.members.creation import create_round
        from fl.members.run import Runner

        maker = Access(configuration=list(self._configurations.values())[-1])
        create_round(maker, write_terms(self._root, LONGER), True, lambda lines: None)
        alerts: list[str] = []
        with ExitStack() as stack:
            inside = [each for name, each in self._configurations.items() if name not in self._outside]
            desks = [stack.enter_context(desk(Access(configuration=each))) for each in inside]
            members = [each.member(self._number) for each in desks]
            chronicle = desks[0].chronicle(self._number)
            runners = [
                Runner(member, each.chronicle(self._number), each.tend, alerts.append, sleep=lambda seconds: None)
                for member, each in zip(members, desks, strict=True)
            ]
            market = desks[0].market
            pace = self._pace(market)
            while not pace.over() or runners:
                for each in runners[:]:
                    if each.turn() is not None:
                        runners.remove(each)
                    self._look(market)  # each time, so that no phase is too short to be seen
                self._look(market)
                time.sleep(0.02)
            return self._result(members, chronicle.facts(members[0].address), alerts)

    def _pace(self, market: Any) -> Any:
        from analysis.consortium.pace import Pace
        from fl.market.connection import account_named

        accounts = tuple(str(account_named(name).address) for name in self._configurations)
        return Pace(self._node, market, self._number, accounts, 1)

    def _look(self, market: Any) -> None:
        state = market.round_state(self._number)
        if (phase := f"{state.status.name} {state.phase.name}") != self._phase:
            self._phase = phase
            _say(round=self._number, phase=phase)

    def _result(self, members: Sequence[Any], facts: Any, alerts: Sequence[str]) -> dict[str, Any]:
        from analysis.consortium.replay import deviations
        from fl.market.connection import account_named
        from fl.members.rounds import stations_of

        data = {str(account_named(name).address): self._configurations[name].data for name in COSTS}
        owner = next(each for each in members if each.role.name == "OWNER" and each.name != PROPOSER)
        record = facts.record
        return {
            "round": self._number,
            "status": facts.status.name,
            "off": list(deviations(owner, owner.work, facts, data)),
            "alerts": list(alerts),
            "result": None if record.result is None else record.result[0].hex(),
            "stations": sorted(stations_of(facts), key=stations_of(facts).__getitem__),
            "models": [each.hex() for each, _ in record.global_rounds.values()],
            "members": {
                each.account: {
                    "settled": each.settled is not None,
                    "slashed": 0 if each.settled is None else each.settled.slashed,
                    "revealed": each.words is not None,
                    "claimant": each.account == record.claimant,
                    "updates": [update.hex() for _, update in sorted(each.updates.items())],
                    "voted": any(vote.account == each.account for vote in record.votes),
                }
                for each in record.members.values()
            },
        }


# ── who speaks to it ──


@dataclass
class Company:
    """A process that plays those whom nobody disturbs.

    Attributes:
        said: all that it has said so far.
    """

    process: "subprocess.Popen[str]"
    said: list[dict[str, Any]] = field(default_factory=list)
    _news: Condition = field(default_factory=Condition)

    def __post_init__(self) -> None:
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            if line.startswith("{"):
                with self._news:
                    self.said.append(json.loads(line))
                    self._news.notify_all()
        with self._news:
            self.said.append({"ended": True})
            self._news.notify_all()

    def play(self, *outside: str) -> None:
        """Have it make the next round, and play in it but for these."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(outside) + "\n")
        self.process.stdin.flush()

    def heard(self, seconds: float, **wanted: Any) -> dict[str, Any]:
        """Wait until it has said something with these values; only the value's beginning counts.

        Raises:
            ConsortiumError: it ended, or that takes too long.
        """
        found: dict[str, Any] | None = None

        def look() -> bool:
            nonlocal found
            found = next((each for each in self.said if _has(each, wanted)), None)
            return found is not None or {"ended": True} in self.said

        with self._news:
            self._news.wait_for(look, seconds)
        if found is None:
            why = "it has ended" if {"ended": True} in self.said else f"not in {seconds} s"
            last = [each for each in self.said if each != {"ended": True}][-1:]
            raise ConsortiumError(f"the company has not said {wanted}: {why}; the last was {last}")
        return found


def _has(said: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(key in said and (value is any or said[key] == value) for key, value in wanted.items())


@contextmanager
def company(root: Path, url: str, members: Sequence[Organisation]) -> Iterator[Company]:
    """Start it; the members' folders and member.yaml are there."""
    write_table(root, members)
    keys = root / "company" / "accounts"
    keys.mkdir(parents=True)
    environment = {**os.environ, "APE_DATA_FOLDER": str(keys.parent), "OMP_NUM_THREADS": "1"}
    for each in members:
        shutil.copy(each.folder / "ape" / "accounts" / f"{each.name}.json", keys)
        environment[f"APE_ACCOUNTS_{each.name}_PASSPHRASE"] = each.passphrase
    command = [sys.executable, "-m", "analysis.consortium.company", str(root), url, *(each.name for each in members)]
    with (root / "company.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        yield Company(process)
    finally:
        ended(process, 5)


if __name__ == "__main__":
    main(sys.argv[1:])
