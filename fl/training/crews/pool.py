"""A crew of worker processes, each of one thread, on the cores of one machine.

A worker of one thread uses the whole of its core, and where something else takes a core, only the worker on it is slow.
Two threads would wait for each other at every operation. Workers are forked: they read the samples where they lie in
the parent, and models pass through memory that all share.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from math import ceil, prod
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Self, TypeVar, cast

from joblib import cpu_count

from fl.training.averaging.aggregate import aggregate
from fl.training.config import Rule
from fl.training.crews.crew import InProcess, LocalCrew
from fl.training.crews.shared_memory import SharedState
from fl.training.crews.streams import MOST, Streams, batches_of, hindrance
from fl.training.crews.worker import HELD_BACK, Judge, JudgeClients, Play, Reply, Result, Task, Worker
from fl.training.errors import TrainingError, WorkerError
from fl.training.federation import Federation
from fl.training.model.evaluation import BATCH, Evaluation, Judged, summarise
from fl.training.model.parameters import State
from fl.training.station import StationRound
from fl.training.strategy import NO_STATES, NOTHING, Carried, States
from fl.training.update import Update

T = TypeVar("T")

_SPANS = 4
"""Parts of the test samples for each worker: more than one, so that a slowed worker takes fewer than the others."""

_MOST_PLACES = 4096
"""Updates that stay where workers left them; each is a mapping of memory, of which a process can have some 65,000."""

_WORTHWHILE = 10**10
"""Samples trained on times parameters, below which workers would gain less than they cost."""

_REPAID = 500
"""Steps in which streams save the time that one more recording took: on an H100 150 to 700 (`streams.json` there)."""


@dataclass(frozen=True, eq=False)
class _Hand:
    """A worker process as the parent sees it."""

    process: ForkProcess
    tasks: Connection
    outgoing: SharedState


class Pool:
    """Base stations played by worker processes; use it in a `with` statement.

    Args:
        federation: on the CPU, its base stations of one thread. What changes in it later, the workers do not see.
        workers: number of processes; no more than base stations are started.

    Raises:
        TrainingError: workers cannot play this federation, or not on this system.
    """

    def __init__(self, federation: Federation, workers: int):
        if reason := _hindrance(federation):
            raise TrainingError(f"worker processes {reason}: use --workers 0")
        self._federation = federation
        self._incoming = SharedState(federation.model)
        # room for the updates of two global rounds, as whoever reads one holds it until the next is there; what nobody
        # writes to takes no memory
        count = min(2 * len(federation.stations), _MOST_PLACES)
        self._places = [SharedState(federation.model) for _ in range(count)]
        self._free = deque(range(count))
        self._hands: list[_Hand] = []
        try:
            for _ in range(min(workers, len(federation.stations))):
                self._hands.append(self._start())
        except OSError as error:
            self.close()
            raise TrainingError(f"{workers} worker processes cannot be started: {error}") from error

    def _start(self) -> _Hand:
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        outgoing = SharedState(self._federation.model)
        worker = Worker(self._federation, there, self._incoming, outgoing, self._places)
        others = [*(hand.tasks for hand in self._hands), here]
        process = context.Process(target=worker.serve, args=(others,), daemon=True)
        # until the worker handles signals itself, it holds them back: it would handle them as its parent does
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        there.close()
        return _Hand(process, here, outgoing)

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """See `Crew`. The largest go first, so that none is left to wait for at the end."""
        self._receive(state)
        by_size = sorted(stations, key=lambda index: -self._federation.stations[index].samples)
        sent = States([carried.server])
        tasks = (
            Play(
                index,
                global_round,
                sent,
                carried.clients.get(index, NO_STATES),
                self._free.pop() if self._free else None,
            )
            for index in by_size
        )
        yield from self._do(tasks, self._round_of)

    def _round_of(self, task: Task, result: Result, outgoing: SharedState) -> StationRound:
        assert isinstance(task, Play)
        assert isinstance(result, StationRound)
        place, lent = task.place, None
        if place is not None:
            # not copied where that can be spared: a copy's pages are new, and the system fills each with zeros first
            lent = self._places[place].lend(partial(self._free.append, place))
        if result.update is None:
            return result  # and the place is free again, as nobody holds what was lent
        state = outgoing.read() if lent is None else lent
        return replace(result, update=replace(result.update, state=state))

    def combine(self, updates: Sequence[Update], rule: Rule, dropped: int = 0) -> State:
        """See `Crew`."""
        return aggregate(updates, rule, dropped)

    def gather(self, updates: Sequence[Update]) -> Sequence[Update]:
        """See `Crew`."""
        return updates

    def evaluate(self, state: State) -> Evaluation:
        """See `Crew`. Batches are added up in their order, so the loss is the same to the last bit."""
        self._receive(state)
        samples = len(self._federation.dataset.test)
        batches = -(-samples // BATCH)
        size = BATCH * -(-batches // (_SPANS * len(self._hands)))
        tasks = [Judge(first, min(first + size, samples)) for first in range(0, samples, size)]
        found = dict(self._do(tasks, _judged_of))
        return summarise([batch for first in sorted(found) for batch in found[first]])

    def evaluate_clients(self, state: State) -> Mapping[int, Sequence[int | Fraction]]:
        """See `LocalCrew`."""
        self._receive(state)
        found = dict(self._do([JudgeClients(each.index) for each in self._federation.stations], _counts_of))
        return {index: found[index] for index in sorted(found)}

    def _receive(self, state: State) -> None:
        if not self._hands:
            raise WorkerError("the worker processes have ended: start them anew")
        self._incoming.write(state)

    def _do(self, tasks: Iterable[Task], read: Callable[[Task, Result, SharedState], T]) -> Iterator[T]:
        """Give the tasks out, one at a time to each worker; what `read` makes of each result, as it comes."""
        waiting = iter(tasks)
        free, busy = deque(self._hands), dict[Connection, tuple[_Hand, Task]]()
        try:
            while True:
                for task in islice(waiting, len(free)):
                    hand = free.popleft()
                    busy[hand.tasks] = (hand, task)
                    _tell(hand, task)
                if not busy:
                    return
                for connection in wait(list(busy)):
                    hand, task = busy[connection]  # type: ignore[index]
                    result = read(task, _hear(hand), hand.outgoing)
                    del busy[hand.tasks]
                    free.append(hand)
                    yield result
        finally:
            if busy:  # after an error, or when the caller stopped early: late replies would be taken for others
                self.close()

    def close(self) -> None:
        """End the worker processes, whatever they are at."""
        for hand in self._hands:
            hand.process.terminate()
            hand.process.join()
            hand.tasks.close()
        self._hands.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _judged_of(task: Task, result: Result, outgoing: SharedState) -> tuple[int, Sequence[Judged]]:
    assert isinstance(task, Judge)
    return task.first, cast("Sequence[Judged]", result)


def _counts_of(task: Task, result: Result, outgoing: SharedState) -> tuple[int, Sequence[int | Fraction]]:
    assert isinstance(task, JudgeClients)
    return task.station, cast("Sequence[int | Fraction]", result)


def _tell(hand: _Hand, task: Task) -> None:
    try:
        hand.tasks.send(task)
    except OSError as error:
        raise _ended(hand) from error


def _hear(hand: _Hand) -> Result:
    try:
        reply: Reply = hand.tasks.recv()
    except (EOFError, OSError) as error:
        raise _ended(hand) from error
    for record in reply.logged:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    if isinstance(reply.result, Exception):
        raise reply.result
    return reply.result


def _ended(hand: _Hand) -> WorkerError:
    hand.process.join()
    code = hand.process.exitcode or 0
    how = f"ended with exit code {code}"
    if code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    memory = ", perhaps for lack of memory: fewer --workers need less" if code == -signal.SIGKILL else ""
    return WorkerError(f"a worker process {how}{memory}")


def _hindrance(federation: Federation) -> str:
    """Why worker processes cannot play a federation; empty where they can."""
    if sys.platform != "linux":
        return "need Linux"
    if federation.device.type != "cpu":
        return "compute on the CPU"
    if any(station.config.threads != 1 for station in federation.stations):
        return "compute with one thread each"
    return ""


def count_workers(federation: Federation, first_round: int = 0) -> int:
    """How many workers suit what is left of a run: streams of a GPU, a process for each core that may be used, or none.

    Args:
        federation: what trains.
        first_round: the global round to start with.
    """
    rounds = federation.config.rounds - first_round
    if federation.device.type == "cuda":
        count = 0 if hindrance(federation) else min(MOST, len(federation.stations))
        steps = sum(
            station.config.local_epochs * station.config.edge_aggregations * ceil(len(each) / station.config.batch_size)
            for station in federation.stations
            for each in station.clients
        )
        return count if steps * rounds >= _REPAID * (count - 1) * len(batches_of(federation)) else 0
    count = min(cpu_count(), len(federation.stations))
    if count < 2 or _hindrance(federation):
        return 0
    passes = sum(
        station.samples * station.config.local_epochs * station.config.edge_aggregations
        for station in federation.stations
    )
    parameters = sum(prod(shape) for shape, _ in federation.model.tensors().values())
    return count if passes * parameters * rounds >= _WORTHWHILE else 0


def open_crew(
    federation: Federation, workers: int | None = None, first_round: int = 0
) -> AbstractContextManager[LocalCrew]:
    """The crew for a run.

    Args:
        federation: what trains.
        workers: number of worker processes, or of streams of a GPU; 0 or 1: none, this process plays; None: what suits.
        first_round: the global round to start with.

    Raises:
        TrainingError: there cannot be so many workers, or none at all.
    """
    count = count_workers(federation, first_round) if workers is None else workers
    if count < 0:
        raise TrainingError(f"workers must be at least 0, not {count}")
    if count < 2:
        return nullcontext(InProcess(federation))
    return nullcontext(Streams(federation, count)) if federation.device.type == "cuda" else Pool(federation, count)
