"""Lets a test run in several ranks, forked from its process, so that none imports torch anew."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from fl.training.crews.ranks import Group, join
from fl.training.errors import TrainingError


def in_ranks(size: int, play: Callable[[Group], Any]) -> list[Any]:
    """What `play` returns in each rank; the text of its TrainingError; None where the rank ended without a word."""
    context = multiprocessing.get_context("fork")
    port = free_port()
    ranks = []
    for rank in range(size):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(rank, size, port, play, there), daemon=True)
        process.start()
        there.close()
        ranks.append((process, here))
    results = [_received(here) for _, here in ranks]
    for process, _ in ranks:
        process.join()
    return results


def _serve(rank: int, size: int, port: int, play: Callable[[Group], Any], there: Connection) -> None:
    torch.set_num_threads(1)
    names = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    try:
        with join() as group:
            result = play(group)
    except TrainingError as error:
        result = str(error)
    there.send(result)


def _received(here: Connection) -> Any:
    try:
        return here.recv()
    except EOFError:
        return None


def free_port() -> int:
    """Of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
