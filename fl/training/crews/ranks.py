"""The processes that torchrun started for one run, and what they tell each other.

torchrun starts a process for each rank, on one machine or several, and names them in the environment; torch.distributed
moves everything between them. Without torchrun a run is a group of one, which says nothing to anybody.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

from fl.training.errors import TrainingError

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""How long a rank waits for the others: being slow is no error, and if a rank dies torchrun ends the run."""


@dataclass(frozen=True)
class Group:
    """A process among those of a run.

    Attributes:
        rank: which, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that stores and shows."""
        return self.rank == 0

    def exchange(self, make: Callable[[], T]) -> list[T]:
        """What every rank makes, by rank. An error of one is raised by all.

        Raises:
            TrainingError: `make` raised it on some rank, or a rank is gone.
        """
        made = self._gather(_attempt(make))
        self._raise(made)
        return [each for each in made if not isinstance(each, TrainingError)]

    def together(self, make: Callable[[], T]) -> T:
        """What this rank makes, once the others have made theirs. An error of one is raised by all.

        Raises:
            TrainingError: `make` raised it on some rank, or a rank is gone.
        """
        mine = _attempt(make)
        self._raise(self._gather(mine if isinstance(mine, TrainingError) else None))
        assert not isinstance(mine, TrainingError)
        return mine

    def from_leader(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, on every rank; its error is raised by all.

        Raises:
            TrainingError: `make` raised it, or a rank is gone.
        """
        made = self._gather(_attempt(make) if self.leads else None)[0]
        if isinstance(made, TrainingError):
            raise made
        return made  # type: ignore[return-value]

    def _raise(self, made: Sequence[object]) -> None:
        """The first of the ranks' errors, which says whose it is unless all ranks have the same."""
        failed = [(rank, each) for rank, each in enumerate(made) if isinstance(each, TrainingError)]
        if failed:
            rank, first = failed[0]
            alike = len(failed) == self.size and len({str(each) for _, each in failed}) == 1
            raise first if alike else type(first)(f"rank {rank}: {first}")

    def _gather(self, mine: T) -> list[T]:
        everybody = [mine] * self.size
        if self.size > 1:
            with _together():
                distributed.all_gather_object(everybody, mine)
        return everybody

    def add_up(self, tensor: torch.Tensor) -> None:
        """Add up the tensors of all ranks, into each one's: one all-reduce.

        Raises:
            TrainingError: a rank is gone.
        """
        if self.size > 1:
            with _together():
                distributed.all_reduce(tensor)

    def spread(self, tensor: torch.Tensor, rank: int) -> None:
        """Copy a rank's tensor into those of all others.

        Raises:
            TrainingError: a rank is gone.
        """
        if self.size > 1:
            with _together():
                distributed.broadcast(tensor, rank)


ALONE = Group()
"""A process without others."""


def _attempt(make: Callable[[], T]) -> T | TrainingError:
    try:
        return make()
    except TrainingError as error:
        return error


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # torch's own texts go on for a page
        raise TrainingError(f"another rank is gone: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def join() -> Iterator[Group]:
    """Meet the other ranks: over gloo, and over NCCL what lies on GPUs. Without torchrun: a group of one.

    Raises:
        TrainingError: they cannot be reached.
    """
    if not {"RANK", "WORLD_SIZE"} <= os.environ.keys():
        yield ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"the other ranks cannot be reached: {_first_line(error)}") from error
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def own_device(name: str) -> str:
    """The device for this rank: of the GPUs of a machine each rank takes its own, for all that it does on one."""
    if "LOCAL_RANK" in os.environ and (name == "cuda" or (name == "auto" and torch.cuda.is_available())):
        number = int(os.environ["LOCAL_RANK"])
        if number < torch.cuda.device_count():  # else whoever asks for the device is told that it is not there
            torch.cuda.set_device(number)
        return f"cuda:{number}"
    return name
