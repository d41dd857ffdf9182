"""A run as the command makes it: checkpointed, measured, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from fl.artefacts import digest_of
from fl.training.checkpoint import RunFolder, open_run
from fl.training.cloud import train
from fl.training.edge import StationRound
from fl.training.federation import Federation
from fl.training.metrics import Board, record_of
from fl.training.network import Link, Links
from fl.training.options import Options
from fl.training.state import save_model


def run(
    federation: Federation,
    options: Options,
    on_station: Callable[[StationRound], None] = lambda played: None,
) -> Iterator[Mapping[str, Any]]:
    """Train what is left to train of a run.

    Args:
        federation: the parties.
        options: where to store what, and the links.
        on_station: called with each base station's round as it ends, for progress.

    Yields:
        The line of the metrics file of each global round, those of earlier processes first.

    Raises:
        TrainingError: see `fl.training.cloud.train`, `fl.training.checkpoint.open_run` and `Board`.
    """
    links = links_of(options)
    with ExitStack() as stack:
        folder = _open(options, federation, stack)
        resumed = None if folder is None else folder.resumed
        first = 0 if resumed is None else resumed.epoch + 1
        board = None
        if options.tensorboard is not None:
            board = Board(options.tensorboard, first)
            stack.callback(board.close)
        yield from [] if folder is None else list(folder.records)
        start = perf_counter()
        for done in train(
            federation,
            state=None if resumed is None else resumed.state,
            velocity=None if resumed is None else resumed.velocity,
            first_epoch=first,
            on_station=on_station,
        ):
            digest = digest_of(save_model(federation.model, done.state, epoch=done.epoch))
            record = record_of(federation, done, digest, perf_counter() - start, links)
            if folder is not None:
                folder.save(federation.model, done, record)
            if board is not None:
                board.add(record)
            yield record
            start = perf_counter()


def _open(options: Options, federation: Federation, stack: ExitStack) -> RunFolder | None:
    if options.out is None:
        return None
    return stack.enter_context(open_run(options.out, federation, options.keep_models))


def links_of(options: Options) -> Links | None:
    """The links that the options name; None where they name none.

    Raises:
        TrainingError: a bandwidth, a latency or a time is out of bounds.
    """
    if options.client_link is None or options.cloud_link is None:
        return None
    client, cloud = (
        Link(bandwidth * 1e6, latency / 1e3) for bandwidth, latency in (options.client_link, options.cloud_link)
    )
    return Links(client, cloud, options.seconds_per_image)
