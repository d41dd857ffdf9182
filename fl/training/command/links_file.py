"""Links and speeds of single clients and base stations, from a CSV file with one line for each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fl.faults import line_of
from fl.training.errors import TrainingError
from fl.training.network import Link, Links

T = TypeVar("T", int, float)

COLUMNS = ("station", "client", "mbps", "ms", "seconds_per_image")


def read_links(path: Path, links: Links, clients: Mapping[int, int]) -> Links:
    """Read `COLUMNS`; a line without a client is about its base station's link to the cloud.

    Cells that are empty leave what all others have.

    Args:
        path: the file.
        links: of all others.
        clients: number of clients of each base station, by its index.

    Raises:
        TrainingError: the file cannot be read, or a line names nobody, somebody twice, or something that is no link.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file, skipinitialspace=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise TrainingError(f"{path}: its first line must be {','.join(COLUMNS)}")
            lines = [(rows.line_num, row) for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path} cannot be read: {line_of(error)}") from error
    client: dict[tuple[int, int], Link] = {}
    cloud: dict[int, Link] = {}
    seconds: dict[tuple[int, int], float] = {}
    for number, row in lines:
        try:
            station, of, speed = _read(row, clients)
            if (station, of) in client or (of is None and station in cloud):
                raise TrainingError(f"the same {'base station' if of is None else 'client'} is named before")
            link = _link(row, links.cloud if of is None else links.client)
            if of is None:
                cloud[station] = link
            else:
                client[station, of] = link
                if speed is not None:
                    seconds[station, of] = Links(link, link, speed).seconds_per_image or 0.0
        except TrainingError as error:
            raise TrainingError(f"{path}, line {number}: {error}") from error
    return replace(links, own_client=client, own_cloud=cloud, own_seconds=seconds)


def _read(row: list[str], clients: Mapping[int, int]) -> tuple[int, int | None, float | None]:
    """Base station, client and seconds per image of a line."""
    if len(row) != len(COLUMNS):
        raise TrainingError(f"it has {len(row)} columns, not {len(COLUMNS)}")
    station, client, seconds = _cell(row, "station", int), _cell(row, "client", int), _cell(row, COLUMNS[-1], float)
    if station not in clients or station is None:
        raise TrainingError(f"there is no base station {row[0]}")
    if client is not None and not 0 <= client < clients[station]:
        raise TrainingError(f"base station {station} has no client {client}")
    if client is None and seconds is not None:
        raise TrainingError("a base station computes nothing: leave its seconds_per_image empty")
    return station, client, seconds


def _cell(row: list[str], name: str, kind: Callable[[str], T]) -> T | None:
    cell = row[COLUMNS.index(name)].strip()
    try:
        return kind(cell) if cell else None
    except ValueError:
        raise TrainingError(f"{name} is {cell!r} and must be a number") from None


def _link(row: list[str], others: Link) -> Link:
    bandwidth, latency = _cell(row, "mbps", float), _cell(row, "ms", float)
    return Link(
        others.bandwidth if bandwidth is None else bandwidth * 1e6,
        others.latency if latency is None else latency / 1e3,
    )
