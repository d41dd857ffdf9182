"""A member left running: read, decide, act, from its round's creation to its settlement."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fl.faults import Fault
from fl.market.refusals import ByHand, MarketError, Never
from fl.members import steps
from fl.members.acts import Member, NotYet
from fl.members.facts import Chronicle, Facts
from fl.members.steps import Done, Step, Stuck, Wait
from fl.members.work import WorkError
from fl.yaml_file import ConfigurationError

log = logging.getLogger("hcfl")

OFTEN = 3
"""Refusals of the same step, at different blocks, after which people are told: it may need them."""


def deadline_of(step: Step, facts: Facts) -> int | None:
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
        case steps.Deliver() | steps.Accept() | steps.Train() | steps.Attend() | steps.Aggregate():
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
        alert: told once about each thing that people have to know in time.
        margin: seconds before a deadline from which on a step that is not done is one of them.
        pause: seconds between two looks while there is nothing to do.
        sleep: as `time.sleep`.
    """

    member: Member
    chronicle: Chronicle
    tend: Callable[[], object]
    alert: Callable[[str], None]
    margin: int = 60
    pause: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    _told: set[str] = field(default_factory=set)
    _refused: dict[Step, int] = field(default_factory=dict)

    def run(self) -> str:
        """Play the round to its end; says how it ended.

        Raises:
            Fault: it cannot go on, whatever time passes.
        """
        said = ""
        while True:
            facts = self._look()
            if facts is None:
                self.sleep(self.pause)
                continue
            step = self.member.next_step(facts)
            match step:
                case Done(why):
                    return why
                case Wait(why=why):
                    if why != said:
                        log.info("%s waits: %s", self.member.name, why)
                        said = why
                    self.sleep(self.pause)
                case Stuck(why):
                    self._tell(f"{self.member.name}: {why}")
                    self.sleep(self.pause)
                case _:
                    self._act(step, facts)

    def _look(self) -> Facts | None:
        try:
            self.tend()  # first, so that what it finds done is in the facts
            return self.chronicle.facts(self.member.address)
        except Never:
            raise
        except MarketError as error:
            log.warning("%s cannot read the chain: %s", self.member.name, error)
            return None

    def _act(self, step: Step, facts: Facts) -> None:
        try:
            self.member.do(step, facts)
        except NotYet as error:
            self._postponed(step, facts, error)
        except Never as error:
            # The chain has moved on in between, or it does not have this step yet: look again.
            self._refused[step] = self._refused.get(step, 0) + 1
            if self._refused[step] >= OFTEN:
                self._tell(f"{self.member.name} was refused {OFTEN} times: {error}")
            self._postponed(step, facts, error)
        except (ByHand, WorkError, ConfigurationError) as error:
            self._tell(f"{self.member.name}: {error}")
            self._postponed(step, facts, error)
        except Fault as error:  # the node or the store, for the time being
            self._postponed(step, facts, error)

    def _postponed(self, step: Step, facts: Facts, why: Fault) -> None:
        log.warning("%s: %s is not done yet: %s", self.member.name, type(step).__name__, why)
        deadline = deadline_of(step, facts)
        if deadline is not None and deadline - facts.now <= self.margin:
            name = type(step).__name__.lower()
            self._tell(
                f"{self.member.name}: {deadline - facts.now} s are left to {name}, and it is not done: {why}", name
            )
        self.sleep(self.pause)

    def _tell(self, text: str, about: str = "") -> None:
        if (about or text) in self._told:
            return
        self._told.add(about or text)
        self.alert(text)
