"""What a worker process of `fl.training.crews.pool` does: plays base stations and judges, one task at a time."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import TypeAlias

import torch

from fl.faults import Fault
from fl.training.crews.crew import judge_clients, play_station
from fl.training.crews.shared_memory import SharedState
from fl.training.federation import Federation
from fl.training.model.evaluation import Judged, judge
from fl.training.station import StationRound
from fl.training.strategy import States

HELD_BACK = (signal.SIGINT, signal.SIGTERM)
"""Signals that a worker is started without, until it handles them."""


@dataclass(frozen=True)
class Play:
    """Let a base station play a global round from the model in shared memory.

    Attributes:
        station: which.
        global_round: which.
        broadcast: the one state that the strategy sends with the model.
        clients: what it carries for each client.
        place: of those that all workers share, where its update goes; None: where the worker's own go.
    """

    station: int
    global_round: int
    broadcast: States
    clients: States
    place: int | None


@dataclass(frozen=True)
class Judge:
    """Judge the model in shared memory on the test samples `first` … `end` − 1."""

    first: int
    end: int


@dataclass(frozen=True)
class JudgeClients:
    """Judge the model in shared memory on the samples of each client of a base station."""

    station: int


Task: TypeAlias = Play | Judge | JudgeClients
Result: TypeAlias = StationRound | Sequence[Judged] | Sequence[int | Fraction]


@dataclass(frozen=True, eq=False)
class Reply:
    """What became of a task.

    Attributes:
        result: what it returned or raised. The state of a base station's update is not in it but in shared memory.
        logged: log records of the meantime.
    """

    result: Result | Exception
    logged: Sequence[logging.LogRecord]


class Worker:
    """A worker process; forked, so that it sees the federation where it lies and costs milliseconds to start.

    Args:
        federation: whose base stations it plays.
        tasks: where tasks come from and replies go.
        incoming: the model to play from or to judge.
        outgoing: where it leaves the update of a base station.
        places: where it leaves one that is to stay there.
    """

    def __init__(
        self,
        federation: Federation,
        tasks: Connection,
        incoming: SharedState,
        outgoing: SharedState,
        places: Sequence[SharedState],
    ):
        self._federation = federation
        self._tasks = tasks
        self._incoming = incoming
        self._outgoing = outgoing
        self._places = places

    def serve(self, others: Sequence[Connection]) -> None:
        """Do tasks until there are no more.

        Args:
            others: the parent's ends of connections, which a fork copies: while a worker held one, the worker at its
                other end would not see the parent close it.
        """
        for connection in others:
            connection.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent sees to the end
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        torch.set_num_threads(1)
        keep_memory()
        logged = _Collector()
        package = logging.getLogger("fl.training")
        package.handlers, package.propagate = [logged], False
        self._module = self._federation.workspace()
        while True:
            try:
                task = self._tasks.recv()
            except EOFError:
                return
            try:
                result: Result | Exception = self._do(task)
            except Exception as error:
                if not isinstance(error, Fault):  # whose text says all
                    error.add_note("in a worker process:\n" + traceback.format_exc())
                result = error
            self._tasks.send(Reply(result, logged.take()))

    def _do(self, task: Task) -> Result:
        state = self._incoming.state
        if isinstance(task, Judge):
            test = self._federation.dataset.test
            part = replace(test, inputs=test.inputs[task.first : task.end], labels=test.labels[task.first : task.end])
            return judge(self._module, state, part, objective=self._federation.objective)
        station = self._federation.stations[task.station]
        if isinstance(task, JudgeClients):
            return judge_clients(station, state, self._module, self._federation.objective)
        played = play_station(station, state, task.global_round, self._module, task.broadcast[0], task.clients)
        if played.update is None:
            return played
        (self._outgoing if task.place is None else self._places[task.place]).write(played.update.state)
        return replace(played, update=replace(played.update, state={}))


class _Collector(logging.Handler):
    """Keeps log records until a reply takes them to the parent, whose handlers and levels apply to them."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        self._records.append(record)

    def take(self) -> Sequence[logging.LogRecord]:
        taken, self._records = self._records, []
        return taken


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)


def keep_memory() -> None:
    """Let glibc keep the memory that is freed, for the next step asks for as much again.

    Otherwise each large tensor is mapped anew, and the system fills every page of it with zeros first. Where the
    C library is another, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        mallopt(_TRIM_THRESHOLD, 512 << 20)
        mallopt(_TOP_PAD, 64 << 20)
