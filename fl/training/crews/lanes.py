"""Base stations beside each other on one GPU: a lane is a thread with a module, a stream and recorded steps of its own.

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
from fl.training.strategy import NO_STATES, NOTHING, Carried, Strategy

log = logging.getLogger(__name__)

MOST = 16
"""Lanes unless told otherwise; each takes the memory of a model that is trained. Ten were tried."""


class Lane:
    """A module, and the stream that its steps are recorded and replayed on; on a CPU no stream.

    Args:
        workspace: that this lane's base stations are trained in.
    """

    def __init__(self, workspace: nn.Module):
        self.workspace = workspace
        self.device = next(workspace.parameters()).device
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Compute on the lane's stream, after all that the current one was told before, which then waits for it."""
        if self._stream is None:
            yield
            return
        outside = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(outside)
        try:
            with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
                yield
        finally:  # after an error too: what the lane still reads may be freed then
            outside.wait_stream(self._stream)


class Lanes(InProcess):
    """Base stations in several lanes of this process.

    Whatever is drawn follows from seeds of its own, so a run ends with the digests of one lane. What code of others
    draws or keeps may not, as all threads share it: such federations are not for lanes.

    Args:
        federation: without `hindrance`.
        count: of lanes. There are fewer where the GPU has no memory for them.

    Raises:
        TrainingError: the federation is not for lanes, or a step cannot be recorded.
    """

    def __init__(self, federation: Federation, count: int):
        super().__init__(federation)
        if reason := hindrance(federation):
            raise TrainingError(f"streams {reason}: use --workers 0")
        self._lanes: list[Lane] = []
        state, most = federation.initial_state(), min(count, len(federation.stations))
        while len(self._lanes) < most and (lane := self._another(state)) is not None:
            self._lanes.append(lane)
        if len(self._lanes) < most:
            log.warning("the GPU has memory for %d streams", len(self._lanes))

    def _another(self, state: State) -> Lane | None:
        """Another lane; None where the GPU has no memory for it. There is a first one, or an error."""
        if self._lanes and not _has_room(self._lanes[0].device):
            return None
        try:
            lane = Lane(copy.deepcopy(self._workspace) if self._lanes else self._workspace)
            _record(self._federation, lane, state)
        except (torch.OutOfMemoryError, TrainingError) as error:
            if self._lanes and isinstance(error.__cause__ or error, torch.OutOfMemoryError):
                return None
            raise
        return lane

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """See `Crew`. The largest go first, so that none is left to wait for at the end."""
        free: SimpleQueue[Lane] = SimpleQueue()
        for lane in self._lanes:
            free.put(lane)
        device = self._federation.device
        home = torch.cuda.current_stream(device) if device.type == "cuda" else None

        def play(index: int) -> StationRound:
            lane = free.get()
            try:
                with ExitStack() as stack:
                    stack.enter_context(held())
                    if home is not None:
                        stack.enter_context(torch.cuda.stream(home))
                    stack.enter_context(lane.entered())
                    clients = carried.clients.get(index, NO_STATES)
                    station = self._federation.stations[index]
                    return play_station(station, state, global_round, lane.workspace, carried.server, clients)
            finally:
                free.put(lane)

        by_size = sorted(stations, key=lambda index: -self._federation.stations[index].samples)
        with ExitStack() as stack:
            # what the threads leave alone: how exactly, and what the next draw from torch's generators is
            stack.enter_context(use_threads(1))
            stack.enter_context(reproducible(0, device))
            threads = stack.enter_context(ThreadPoolExecutor(len(self._lanes)))
            stack.callback(threads.shutdown, cancel_futures=True)  # an error, or whoever asks stops early
            for future in as_completed([threads.submit(play, index) for index in by_size]):
                played = future.result()
                if home is not None and played.update is not None:
                    for tensor in played.update.state.values():
                        tensor.record_stream(home)  # whose memory the lane would use again too soon
                yield played


def hindrance(federation: Federation) -> str:
    """Why lanes cannot play a federation; empty where they can."""
    for station in federation.stations:
        carries = type(station.strategy).update_client is not Strategy.update_client
        if carries or not is_ours(federation.model, station.config):
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


def _record(federation: Federation, lane: Lane, state: State) -> None:
    """Record the steps on batches of all sizes that there are: while one is recorded, no other lane may compute."""
    for (config, size), samples in batches_of(federation).items():
        with reproducible(0, lane.device, config.precision), lane.entered():
            # as before each client: some tensors are made where a state is put first
            put_state(lane.workspace, state)
            lane.workspace.train()
            steps = steps_on(lane.workspace, config)
            assert isinstance(steps, RecordedSteps)
            views = draw_views(size, torch.Generator().manual_seed(0), lane.device) if config.augment else None
            steps.record(Batch(samples.inputs[:size], samples.labels[:size], views))
