"""`make kills`: members ended by SIGKILL at random moments, and at the beginning of every phase, and started again."""

import argparse
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from analysis.consortium.chain import Node, anvil
from analysis.consortium.company import PROPOSER, Company, company
from analysis.consortium.ending import ending
from analysis.consortium.fire import Process, off_models, off_round, off_transactions, process
from analysis.consortium.organisations import COSTS, ConsortiumError, Organisation, configure, found

LONGEST = 1800
"""Seconds that a round may take."""

TARGETS = (PROPOSER, next(iter(COSTS)))
"""The winner and a base station."""


@dataclass(frozen=True)
class Tally:
    """What became of the rounds.

    Attributes:
        random: SIGKILLs at random moments.
        phases: those at the beginning of a phase, by its name.
        off: one line for each thing that is not as it is undisturbed.
    """

    random: int
    phases: tuple[str, ...]
    off: tuple[str, ...]


class Range:
    """Rounds in which some members are under fire.

    Args:
        chain: the node.
        others: those that nobody disturbs.
        members: all.
        targets: names of those under fire.
        seed: of the moments.
        rounds: that were played before.
        seconds: that an undisturbed round takes.
    """

    def __init__(
        self,
        chain: Node,
        others: Company,
        members: Sequence[Organisation],
        targets: Collection[str],
        seed: int,
        rounds: int = 0,
        seconds: float = 0,
    ):
        self._chain, self._others, self._members = chain, others, members
        self._random = random.Random(seed)
        self._under_fire = [each for each in members if each.name in targets]
        self._rounds, self._seconds = rounds, seconds

    def undisturbed(self) -> dict[str, object]:
        """A round in which everybody is left alone, in the company's process; what came of it."""
        self._rounds += 1
        begun = time.monotonic()
        self._others.play()
        result = self._others.heard(LONGEST, round=self._rounds, status=any)
        self._seconds = time.monotonic() - begun
        return result

    def fire(self, kills: int, boundaries: bool) -> Tally:
        """A round with so many SIGKILLs at random moments, and one at the beginning of every phase.

        Raises:
            ConsortiumError: a member failed, or the round takes too long.
        """
        self._rounds += 1
        number, hit = self._rounds, 0
        phases: list[str] = []
        end = time.monotonic() + LONGEST
        with ExitStack() as stack:
            running = [stack.enter_context(process(each, number)) for each in self._under_fire]
            for each in running:
                each.start()
            self._others.play(*(each.name for each in self._under_fire))
            moments = self._moments(kills)
            while (open_ := [each for each in running if each.is_running]) or not self._has_ended(number):
                if time.monotonic() > end:
                    raise ConsortiumError(f"round {number} takes longer than {LONGEST} s")
                if moments and open_ and time.monotonic() >= moments[0]:
                    self._kill(self._random.choice(open_))
                    hit, moments = hit + 1, [max(time.monotonic(), each) for each in moments[1:]]
                if boundaries and (begun := self._phases(number)[len(phases) :]):
                    phases.append(begun[0])
                    for each in open_:
                        self._kill(each)
                time.sleep(0.02)
        result = self._others.heard(LONGEST, round=number, status=any)
        off = [*off_round(result, self._members), *off_transactions(self._chain.chain, self._members)]
        return Tally(hit, tuple(phases), tuple(off))

    def _moments(self, kills: int) -> list[float]:
        """Spread over twice the time of an undisturbed round: each kill makes it longer by a start."""
        now = time.monotonic()
        return sorted(now + self._random.uniform(1, max(2, 2 * self._seconds)) for _ in range(kills))

    def _kill(self, victim: Process) -> None:
        victim.kill()
        victim.start()

    def _phases(self, number: int) -> list[str]:
        return [
            str(each["phase"]) for each in list(self._others.said) if each.get("round") == number and "phase" in each
        ]

    def _has_ended(self, number: int) -> bool:
        if {"ended": True} in self._others.said:
            raise ConsortiumError("the company has ended")
        return any(each.get("round") == number and "status" in each for each in list(self._others.said))


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 if all of it ended as undisturbed."""
    parser = argparse.ArgumentParser(prog="make kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="with kills at random moments (10)")
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="in all of them together, at least (50)")
    parser.add_argument("--seed", type=int, help="of the moments (a new one)")
    parser.add_argument("--block", type=float, default=0.25, metavar="S", help="seconds between two blocks (0.25)")
    parser.add_argument("--no-boundaries", action="store_true", help="without the round with one kill a phase")
    options = parser.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)

    def run() -> int:
        with (
            tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as root,
            anvil(options.block) as here,
        ):
            return play(Path(root), here, options, seed)

    return ending(run)


def play(root: Path, here: Node, options: argparse.Namespace, seed: int) -> int:
    """The rounds, and what is said of them; 0 if nothing is off."""
    members = found(root, here.chain)
    for each in members:
        configure(each, [here.url], str(root / "store"), {}, proposers=[PROPOSER])
    with company(root, here.url, members) as others:
        others.heard(LONGEST, founded=True)
        fire = Range(here, others, members, TARGETS, seed)
        first = fire.undisturbed()
        off, kills, rounds = off_round(first, members), 0, 0
        print(f"round 1, undisturbed: {'; '.join(off) or 'as it should'}", flush=True)
        while rounds < options.rounds or kills < options.kills:
            if options.kills and rounds >= 3 * max(1, options.rounds):
                raise ConsortiumError(f"only {kills} SIGKILLs found somebody running")
            left = options.kills - kills
            tally = fire.fire(-(-left // max(1, options.rounds - rounds)), False)
            rounds, kills, off = rounds + 1, kills + tally.random, [*off, *tally.off]
            print(f"{tally.random} SIGKILLs at random: {'; '.join(tally.off) or 'as undisturbed'}", flush=True)
        if not options.no_boundaries:
            tally = fire.fire(0, True)
            off += tally.off
            print(f"one SIGKILL each at {', '.join(tally.phases)}: {'; '.join(tally.off) or 'as undisturbed'}")
        off += off_models([each for each in others.said if "status" in each])
    print("\n".join(dict.fromkeys(off)) or f"{kills} SIGKILLs in {rounds} rounds, and nothing is off (seed {seed})")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
