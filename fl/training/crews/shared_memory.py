"""One model's tensors in memory that a process shares with those forked from it."""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Callable, Mapping
from math import prod

import torch

from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec, check_state

_ALIGNED = 64
"""Bytes of a cache line, at which each tensor begins."""


class SharedState:
    """Room for the tensors of a model; what one process writes, all see.

    The memory has no name in the file system, so that nothing outlives the processes and no limit of /dev/shm
    applies. Who may write when is for its users to settle.

    Args:
        spec: the model.

    Attributes:
        state: the tensors themselves.
    """

    def __init__(self, spec: ModelSpec):
        self._spec = spec
        self._places: dict[str, slice] = {}
        end = 0
        for name, (shape, kind) in spec.tensors().items():
            start = -(-end // _ALIGNED) * _ALIGNED
            end = start + prod(shape) * kind.itemsize
            self._places[name] = slice(start, end)
        self._memory = mmap.mmap(-1, max(end, 1))
        self.state = self._tensors(memoryview(self._memory))

    def _tensors(self, memory: memoryview) -> State:
        data = torch.frombuffer(memory, dtype=torch.uint8)
        return {
            name: data[self._places[name]].view(kind).reshape(shape)
            for name, (shape, kind) in self._spec.tensors().items()
        }

    def write(self, state: Mapping[str, torch.Tensor]) -> None:
        """Copy tensors in.

        Raises:
            ModelError: they are of another model.
        """
        check_state(self._spec, state)
        for name, tensor in self.state.items():
            tensor.copy_(state[name])

    def read(self) -> State:
        """A copy, which later writes do not change."""
        return {name: tensor.clone() for name, tensor in self.state.items()}

    def lend(self, given_back: Callable[[], None]) -> State:
        """The tensors themselves, not copied; nothing may be written until they are given back.

        Args:
            given_back: called once nobody holds any of them.
        """
        memory = memoryview(self._memory)  # the tensors hold it, and it knows when the last is gone
        weakref.finalize(memory, given_back).atexit = False
        return self._tensors(memory)
