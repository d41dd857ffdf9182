"""Memory of a process and all its descendants, and a process that keeps one core busy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROC = Path("/proc")


def tree(root: int) -> set[int]:
    """The process and its descendants; empty where there is no /proc or the process has ended."""
    parents: dict[int, int] = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # the name, in brackets, may hold spaces
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = {root} & parents.keys()
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def memory(processes: set[int]) -> int:
    """Bytes that the processes hold together: a page that n processes share counts 1/n for each (proportional set)."""
    total = 0
    for process in processes:
        with suppress(OSError):
            for line in (PROC / str(process) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


class Watch:
    """Samples the memory of a process tree in a thread; `peak` is the largest sample, in bytes."""

    # Reading the tables of some gigabytes takes the kernel tens of milliseconds. Waiting 99 times as long as that takes
    # costs what is measured no more than one part in a hundred of one core.
    _IDLE = 99
    _SHORTEST = 0.2

    def __init__(self, root: int):
        self.peak = 0
        self._root = root
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            began = time.thread_time()
            self.peak = max(self.peak, memory(tree(self._root)))
            wait = max(self._SHORTEST, self._IDLE * (time.thread_time() - began))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that has a group of its own, and what it started."""
    left = tree(process.pid)
    for each in left or {process.pid}:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)
    process.wait()


@contextmanager
def one_core_busy(busy: bool) -> Iterator[None]:
    """Meanwhile a process that counts keeps one core busy, if it is to."""
    if not busy:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
