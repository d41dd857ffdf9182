"""`make consortium`: three owners and three base stations, each a process of its own, through two rounds."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.consortium.chain import BLOCK_SECONDS, ended, node
from analysis.consortium.organisations import VALUES, ConsortiumError, Organisation, found
from analysis.consortium.pace import Pace
from fl.faults import Fault, line_of
from fl.market.client import Market
from fl.market.deployment import located
from fl.market.nodes import connected

PHASES = {"join": 400, "commit": 100, "reveal": 120, "select": 60, "train": 200, "report": 100, "vote": 100}
"""Blocks that each phase lasts at most; where nobody is missing, no one waits for the end of one."""


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 if all ended settled."""
    parser = argparse.ArgumentParser(prog="make consortium", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="one after the other, on one deployment")
    parser.add_argument("--block", type=float, default=0.25, help="seconds of real time between two blocks")
    parser.add_argument("--out", type=Path, help="a folder that keeps everything; else one that is removed")
    options = parser.parse_args(arguments)
    try:
        with _folder(options.out) as root:
            play(root, options.rounds, options.block)
    except Fault as error:
        print(f"Error: {line_of(error)}", file=sys.stderr)
        return 1
    return 0


LONGEST = 400
"""Seconds that a round may take."""

Processes = dict[str, "subprocess.Popen[str]"]


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        out.mkdir(parents=True, exist_ok=False)
        yield out.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="consortium-") as folder:
        yield Path(folder)


def play(root: Path, rounds: int, block: float) -> None:
    """Found the organisations, deploy, and let each play."""
    with node(block) as here, connected([here.url]):
        store = {"address": str(root / "store"), "options": {}}
        members = found(root, here.chain, [here.url], store, "median")
        maker = members[0]
        _deploy(root, maker, here.url)
        _membership(root, maker, members, here.url)
        numbers = range(1, rounds + 1)
        processes = {each.name: each.start(*_words(each, numbers)) for each in members}
        try:
            for number in numbers:
                _create(root, maker, here.url)
                market = Market.at(located(str(root / "31337.json"))[0])
                pace = Pace(here, market, number, tuple(each.address for each in members), len(VALUES))
                _until(pace.over, processes, members)
            _until(lambda: all(process.poll() is not None for process in processes.values()), processes, members)
        finally:
            for process in processes.values():
                ended(process, 5)
    for each in members:
        print((each.folder / "member.log").read_text(encoding="utf-8"))


def _words(member: Organisation, rounds: Sequence[int]) -> list[str]:
    command = "owner" if member.role == "owner" else "base_station"
    return [command, *map(str, rounds), "--config", str(member.config), "--pause", "0.3"]


def _deploy(root: Path, maker: Organisation, url: str) -> None:
    print(maker.run("deploy", "--network", url, "--account", maker.name, "--folder", str(root)))


def _membership(root: Path, maker: Organisation, members: Sequence[Organisation], url: str) -> None:
    lines = ["account,role,key_card,name"]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.run("membership", "--card", "--config", str(each.config)), members))
    for each in members:
        lines.append(f"{each.address},{each.role},{each.folder / 'journal.card.json'},{each.name}")
    table = root / "members.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(maker.run("membership", str(table), "--config", str(maker.config), "--out", str(root / "membership.json")))


def _create(root: Path, maker: Organisation, url: str) -> int:
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
        "deadlines": {name: f"{blocks * BLOCK_SECONDS} s" for name, blocks in PHASES.items()},
        "finality": {"confirmations": 1, "block_time": f"{BLOCK_SECONDS} s", "margin": "4 s"},
    }
    path = root / "terms.yaml"
    path.write_text(json.dumps(terms), encoding="utf-8")
    said = maker.run("create_round", str(path), "--config", str(maker.config), "--yes", "--another", "--json")
    print(said)
    return int(json.loads(said)["round"])


def _until(done: Callable[[], bool], processes: Processes, members: Sequence[Organisation]) -> None:
    end = time.monotonic() + LONGEST
    while not done():
        for each in members:
            if code := processes[each.name].poll():
                log = (each.folder / "member.log").read_text(encoding="utf-8")
                raise ConsortiumError(f"{each.name} ended with {code}: {log[-2000:]}")
        if time.monotonic() > end:
            raise ConsortiumError(f"a round takes longer than {LONGEST} s")
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
