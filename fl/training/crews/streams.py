"""Base stations beside each other on one GPU: each in a thread, on a stream, with a module and recorded steps.

A step of one client leaves most of a large GPU idle. A recorded step is one launch, which leaves threads of Python time
enough; steps launched one operation at a time would wait for each other in Python instead.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

import torch
from torch import nn

from fl.training.config import StationConfig
from fl.training.crews.crew import InProcess, play_station
from fl.training.data.augment import draw_views
from fl.training.data.dataset import Samples
from fl.training.errors import TrainingError
from fl.training.federation import Federation, is_ours
from fl.training.model.parameters import State, put_state
from fl.training.model.runtime import held, reproducible, use_threads
from fl.training.model.steps import Batch, RecordedSteps, steps_on
from fl.training.station import StationRound
from fl.training.strategy import NO_STATES, NOTHING, Carried, carries_for_clients

log = logging.getLogger(__name__)

MOST = 16
"""Streams unless told otherwise; each takes the memory of a model that is trained. Ten were tried."""


class ModuleOnStream:
    """A module, and the stream that its steps are recorded and replayed on; on a CPU no stream.

    Args:
        workspace: the module, in which base stations are trained.
    """

    def __init__(self, workspace: nn.Module):
        self.workspace = workspace
        self.device = next(workspace.parameters()).device
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Compute on the stream, after all that the current one was told before, which then waits for it."""
        if self._stream is None:
            yield
            return
        outside = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(outside)
        try:
            with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
                yield
        finally:  # after an error too: what the stream still reads may be freed then
            outside.wait_stream(self._stream)


class Streams(InProcess):
    """Base stations on several streams of a GPU, in threads of this process.

    Whatever is drawn follows from seeds of its own, so a run ends with the digests of one stream. What code of others
    draws or keeps may not, as all threads share it: such federations are not for streams.

    Args:
        federation: without `hindrance`.
        count: of streams. There are fewer where the GPU has no memory for them.

    Raises:
        TrainingError: the federation is not for streams, or a step cannot be recorded.
    """

    def __init__(self, federation: Federation, count: int):
        super().__init__(federation)
        if reason := hindrance(federation):
            raise TrainingError(f"streams {reason}: use --workers 0")
        self._streams: list[ModuleOnStream] = []
        state, most = federation.initial_state(), min(count, len(federation.stations))
        while len(self._streams) < most and (another := self._another(state)) is not None:
            self._streams.append(another)
        if len(self._streams) < most:
            log.warning("the GPU has memory for %d streams", len(self._streams))

    def _another(self, state: State) -> ModuleOnStream | None:
        """Another stream; None where the GPU has no memory for it. There is a first one, or an error."""
        if self._streams and not _has_room(self._streams[0].device):
            return None
        try:
            another = ModuleOnStream(copy.deepcopy(self._workspace) if self._streams else self._workspace)
            _record(self._federation, another, state)
        except torch.OutOfMemoryError:
            if self._streams:
                return None
            raise
        return another

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """See `Crew`. The largest go first, so that none is left to wait for at the end."""
        free: SimpleQueue[ModuleOnStream] = SimpleQueue()
        for each in self._streams:
            free.put(each)
        device = self._federation.device
        home = torch.cuda.current_stream(device) if device.type == "cuda" else None

        def play(index: int) -> StationRound:
            mine = free.get()
            try:
                with ExitStack() as stack:
                    stack.enter_context(held())
                    if home is not None:
                        stack.enter_context(torch.cuda.stream(home))
                    stack.enter_context(mine.entered())
                    clients = carried.clients.get(index, NO_STATES)
                    station = self._federation.stations[index]
                    return play_station(station, state, global_round, mine.workspace, carried.server, clients)
            finally:
                free.put(mine)

        by_size = sorted(stations, key=lambda index: -self._federation.stations[index].samples)
        with ExitStack() as stack:
            # what the threads leave alone: how exactly, and what the next draw from torch's generators is
            stack.enter_context(use_threads(1))
            stack.enter_context(reproducible(0, device))
            threads = stack.enter_context(ThreadPoolExecutor(len(self._streams)))
            stack.callback(threads.shutdown, cancel_futures=True)  # an error, or whoever asks stops early
            for future in as_completed([threads.submit(play, index) for index in by_size]):
                played = future.result()
                if home is not None and played.update is not None:
                    for tensor in played.update.state.values():
                        tensor.record_stream(home)  # whose memory the stream would use again too soon
                yield played


def hindrance(federation: Federation) -> str:
    """Why streams cannot play a federation; empty where they can."""
    for station in federation.stations:
        if carries_for_clients(station.strategy) or not is_ours(federation.model, station.config):
            return "are for what this library computes alone: models, losses and strategies of others may share state"
    if federation.device.type == "cuda" and not all(station.config.graphs for station in federation.stations):
        return "need recorded steps (--graphs)"
    return ""


def batches_of(federation: Federation) -> dict[tuple[StationConfig, int], Samples]:
    """For each step to be recorded, by settings and size of batch, samples of which there are as many."""
    sizes: dict[tuple[StationConfig, int], Samples] = {}
    for station in federation.stations:
        for samples in station.clients if station.config.graphs else ():
            whole, rest = divmod(len(samples), station.config.batch_size)
            for size in ((station.config.batch_size,) if whole else ()) + ((rest,) if rest else ()):
                sizes.setdefault((station.config, size), samples)
    return sizes


def _has_room(device: torch.device) -> bool:
    """Whether a quarter of a GPU's memory is free, for what is judged, gathered and added up beside recorded steps."""
    if device.type != "cuda":
        return True
    free, total = torch.cuda.mem_get_info(device)
    return 4 * free >= total


def _record(federation: Federation, on: ModuleOnStream, state: State) -> None:
    """Record the steps on batches of all sizes that there are: while one is recorded, no other stream may compute."""
    for (config, size), samples in batches_of(federation).items():
        with reproducible(0, on.device, config.precision), on.entered():
            # as before each client: some tensors are made where a state is put first
            put_state(on.workspace, state)
            on.workspace.train()
            steps = steps_on(on.workspace, config)
            assert isinstance(steps, RecordedSteps)
            views = draw_views(size, torch.Generator().manual_seed(0), on.device) if config.augment else None
            steps.record(Batch(samples.inputs[:size], samples.labels[:size], views))
