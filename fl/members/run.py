"""A member left running: read, decide, act, from its round's creation to its settlement."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from math import inf

from fl.faults import Fault
from fl.market.refusals import Again, ByHand, MarketError, Never
from fl.members import steps
from fl.members.acts import PRESSING, Member, NotYet
from fl.members.facts import Chronicle, Facts
from fl.members.journal import JournalError
from fl.members.rounds import Conduct
from fl.members.station import last_call
from fl.members.steps import Done, Step, Stuck, Wait
from fl.members.work import WorkError
from fl.store.errors import Refused
from fl.yaml_file import ConfigurationError

log = logging.getLogger("hcfl")

OFTEN = 3
"""Refusals of the same step, at different blocks, after which people are told: it may need them."""


STILL = 2
"""Times the margin, after which people are told that there is no new block."""


def deadline_of(step: Step, facts: Facts, conduct: Conduct) -> int | None:
    """Unix time by which a step must be done, or be lost; None: it has none."""
    deadlines = facts.deadlines
    match step:
        case steps.Propose():
            return deadlines.join
        case steps.Join() | steps.Commit():
            return deadlines.commit
        case steps.Draw():
            return deadlines.draw
        case steps.Reveal():
            return deadlines.reveal
        case steps.Select():
            return deadlines.select
        case steps.Accept() | steps.Train() if facts.now < last_call(facts, conduct):
            return last_call(facts, conduct)
        case steps.Deliver() | steps.Train() | steps.Attend() | steps.Aggregate():
            return deadlines.train
        case steps.List() | steps.Report():
            return deadlines.report
        case steps.Vote():
            return deadlines.vote
        case _:
            return None


@dataclass
class Runner:
    """Takes one member through a round.

    Attributes:
        member: with its account, journal and store.
        chronicle: reads the chain.
        tend: looks after transactions that are on their way, which an earlier process may have left.
        alert: told about each thing that people have to know in time, once; maybe from another thread.
        margin: seconds before a deadline from which on a step that is not done is one of them.
        pause: seconds between two looks while there is nothing to do.
        sleep: as `time.sleep`.
    """

    member: Member
    chronicle: Chronicle
    tend: Callable[[], object]
    alert: Callable[[str], None]
    margin: float = 60
    pause: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    _told: set[str] = field(default_factory=set)
    _refused: dict[Step, int] = field(default_factory=dict)
    _logged: str = ""
    _done_at: int | None = None
    """Unix time from which on nothing was left to do; what has led there may be undone, and a report with it."""
    _read: Facts | None = None
    _read_at: float = field(default_factory=time.monotonic)
    _moved_at: float = field(default_factory=time.monotonic)

    def run(self) -> str:
        """Play the round to its end; says how it ended.

        Raises:
            Fault: it cannot go on, whatever time passes.
        """
        while (ended := self.turn()) is None:
            pass
        return ended

    def turn(self) -> str | None:
        """Look once, and do what follows from it.

        Returns:
            How the round ended; None: it has not.

        Raises:
            Fault: it cannot go on, whatever time passes.
        """
        facts = self._look()
        if facts is None:
            self.sleep(self.pause)
            return None
        step = self.member.next_step(facts)
        self._done_at = (self._done_at or facts.now) if isinstance(step, Done) else None
        match step:
            case Done(why):
                if self._done_at is None or facts.final >= self._done_at:
                    return why
                self._waiting("the end of the round is not final yet")
                self.sleep(self.pause)
            case Wait(why=why):
                self._waiting(why)
                self.sleep(self.pause)
            case Stuck(why):
                self._tell(f"{self.member.name}: {why}")
                self.sleep(self.pause)
            case _:
                self._act(step, facts)
        return None

    def _look(self) -> Facts | None:
        left = _left_of_phase(self._read, time.monotonic() - self._read_at)
        after = min(self.margin, inf if left is None else left - self.margin if left > self.margin else left / 2)
        try:
            with _after(after, self._blind, Again("an answer of the node is still under way")):
                self.tend()  # first, so that what it finds done is in the facts
                facts = self.chronicle.facts(self.member.address)
        except Never:
            raise
        except MarketError as error:
            self._log(logging.WARNING, f"{self.member.name} cannot read the chain: {error}")
            self._blind(error)
            return None
        moved = self._read is None or facts.block != self._read.block
        self._read, self._read_at = facts, time.monotonic()
        self._told.discard("blind")
        self._see_it_move(moved)
        return facts

    def _see_it_move(self, moved: bool) -> None:
        """A node that answers and shows no new block may be cut off from the others; its clock stands still with it."""
        if moved:
            self._moved_at = self._read_at
            self._told.discard("still")
        elif (since := self._read_at - self._moved_at) > STILL * self.margin:
            self._tell(
                f"{self.member.name}'s node has shown no new block for {since:.0f} s: deadlines may pass; is it cut "
                "off, or does its chain mine only when asked?",
                "still",
            )

    def _waiting(self, why: str) -> None:
        self._log(logging.INFO, f"{self.member.name} waits: {why}")

    def _log(self, level: int, text: str) -> None:
        """Log what is new: the same is found at every look for as long as it lasts."""
        if text != self._logged:
            log.log(level, text)
            self._logged = text

    def _blind(self, why: Fault) -> None:
        """Nobody can say what is to be done by when, so people are told while there is time to mend it."""
        since = time.monotonic() - self._read_at
        left = _left_of_phase(self._read, since)
        if since < self.margin and (left is None or left > self.margin):
            return
        phase = "" if left is None else f", and {left:.0f} s are left of the phase"
        self._tell(f"{self.member.name} has not been able to read the chain for {since:.0f} s{phase}: {why}", "blind")

    def _act(self, step: Step, facts: Facts) -> None:
        try:
            with self._watched(step, facts):
                self.member.do(step, facts)
        except NotYet as error:
            self._waiting(str(error))
            self._missing(step, facts, error)
        except Never as error:
            # The chain has moved on in between, or it does not have this step yet: look again.
            self._refused[step] = self._refused.get(step, 0) + 1
            if self._refused[step] >= OFTEN:
                self._tell(f"{self.member.name} was refused {OFTEN} times: {error}")
            self._postponed(step, facts, error)
        except (ByHand, WorkError, ConfigurationError, JournalError, Refused) as error:
            # Of what is to be done by hand the amounts move with each block, and it is the same for all that.
            self._tell(f"{self.member.name}: {error}", f"{step} {re.sub('[0-9]', '', str(error))}")
            self._postponed(step, facts, error)
        except Fault as error:  # the node or the store, for the time being
            self._postponed(step, facts, error)

    @contextmanager
    def _watched(self, step: Step, facts: Facts) -> Iterator[None]:
        """Tell people in time of a step that takes long, whatever holds it up: the chain, the node, the training.

        Begun within the margin, it has half of what is left. It reads from the store until that is pressing, no longer.
        """
        files, reserve = self.member.files, self.member.conduct.reserve
        deadline = deadline_of(step, facts, self.member.conduct)
        if deadline is None:
            files.until = files.write_until = inf
            yield
            return
        left, now = deadline - facts.now, time.monotonic()
        files.until, files.write_until = now + max(reserve, left - PRESSING * reserve), now + max(reserve, left)
        after = left - self.margin if left > self.margin else max(0, left) / 2
        with _after(after, self._late, step, left - after, "it is still under way"):
            yield

    def _postponed(self, step: Step, facts: Facts, why: Fault) -> None:
        self._log(logging.WARNING, f"{self.member.name}: {type(step).__name__} is not done yet: {why}")
        self._missing(step, facts, why)

    def _missing(self, step: Step, facts: Facts, why: Fault) -> None:
        """Tell people of a step that is not done yet where little time is left; then look again."""
        deadline = deadline_of(step, facts, self.member.conduct)
        if deadline is not None and deadline - facts.now <= self.margin:
            self._late(step, deadline - facts.now, str(why))
        self.sleep(self.pause)

    def _late(self, step: Step, left: float, why: str) -> None:
        name = type(step).__name__.lower()
        self._tell(f"{self.member.name}: {left:.0f} s are left to {name}, and it is not done: {why}", name)

    def _tell(self, text: str, about: str = "") -> None:
        if (about or text) in self._told:
            return
        self._told.add(about or text)
        self.alert(text)


@contextmanager
def _after(seconds: float, do: Callable[..., None], *values: object) -> Iterator[None]:
    """Have something done, in another thread, if what is inside takes longer than so many seconds."""
    timer = threading.Timer(seconds, do, values)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _left_of_phase(facts: Facts | None, since: float) -> float | None:
    """Seconds until the next deadline of a round that was read some time ago; None: there is none."""
    if facts is None:
        return None
    now, deadlines = facts.now + since, facts.deadlines
    return min((each - now for each in astuple(deadlines) if each > now), default=None)
