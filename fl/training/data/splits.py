"""Splits of the training samples over base stations and their clients."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fl.training.errors import DataError

Indices: TypeAlias = NDArray[np.int64]

Parts: TypeAlias = Sequence[Sequence[Any]]
"""For each base station, for each of its clients, the indices of its training samples."""

_LARGEST_ALPHA = 1e100
"""Beyond which a Dirichlet draw differs from its limit by nothing, and sums of its parameters would overflow."""


def split_iid(count: int, parts: int, seed: int) -> list[Indices]:
    """Split `count` samples evenly and at random: sizes differ by at most one.

    Returns:
        `parts` arrays of sorted indices, each of 0 … count − 1 in exactly one of them, none empty.

    Raises:
        DataError: there are fewer samples than parts.
    """
    _enough(count, parts)
    order = np.random.default_rng(seed).permutation(count)
    return [np.sort(part) for part in np.array_split(order, parts)]


def split_dirichlet(labels: NDArray[np.int64], parts: int, alpha: float, seed: int) -> list[Indices]:
    """Split each label over the parts in proportions drawn from Dirichlet(α, …, α) (Hsu, Qi and Brown 2019).

    A part that drew nothing gets one sample of the largest part, so that every client trains.

    Args:
        labels: label of each sample, shape [n].
        parts: number of parts.
        alpha: concentration; towards 0 each label lies with one part, towards infinity the split is IID.
        seed: of the draw.

    Returns:
        `parts` arrays of sorted indices, each of 0 … n − 1 in exactly one of them, none empty.

    Raises:
        DataError: there are fewer samples than parts.
    """
    _enough(len(labels), parts)
    random = np.random.default_rng(seed)
    drawn: list[list[Indices]] = [[] for _ in range(parts)]
    for label in np.unique(labels):
        samples = random.permutation(np.flatnonzero(labels == label))
        bounds = np.cumsum(random.dirichlet(np.full(parts, min(alpha, _LARGEST_ALPHA))))[:-1]
        cuts = np.rint(bounds * len(samples)).astype(np.int64)
        for part, piece in zip(drawn, np.split(samples, cuts), strict=True):
            part.append(piece)
    split = [np.concatenate(pieces) for pieces in drawn]
    by_size = [(-len(part), index) for index, part in enumerate(split)]
    heapq.heapify(by_size)
    for index in range(parts):
        if len(split[index]) == 0:
            _, largest = by_size[0]  # there are samples enough, so it has two or more
            split[index], split[largest] = split[largest][-1:], split[largest][:-1]
            heapq.heapreplace(by_size, (-len(split[largest]), largest))
    return [np.sort(part) for part in split]


def split_shards(labels: NDArray[np.int64], parts: int, shards: int, seed: int) -> list[Indices]:
    """Sort by label, cut into `parts · shards` runs, give each part `shards` of them at random (McMahan et al. 2017).

    With 2 shards most parts see two labels only. Which samples of a label lie in which run is drawn too.

    Args:
        labels: label of each sample, shape [n].
        parts: number of parts.
        shards: runs of each part.
        seed: of the draw.

    Returns:
        `parts` arrays of sorted indices, each of 0 … n − 1 in exactly one of them, none empty.

    Raises:
        DataError: there are fewer samples than shards.
    """
    if len(labels) < parts * shards:
        raise DataError(
            f"{len(labels)} training samples cannot be cut into {shards} shards for each of {parts} clients: "
            "some would be empty"
        )
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    pieces = np.array_split(by_label, parts * shards)
    dealt = random.permutation(parts * shards).reshape(parts, shards)
    return [np.sort(np.concatenate([pieces[piece] for piece in hand])) for hand in dealt]


def split_hierarchy(
    labels: NDArray[Any],
    stations: int,
    clients: int,
    alpha: float | None,
    seed: int,
    shards: int | None = None,
) -> list[list[Indices]]:
    """Split the training samples over `stations` base stations of `clients` clients each.

    Args:
        labels: label of each sample, shape [n]; or numbers to predict, [n, outputs].
        stations: number of base stations.
        clients: number of clients of each.
        alpha: concentration of the Dirichlet split over all clients of all base stations.
        seed: of the draw.
        shards: shards for each client in the split by label; without it and `alpha` the split is IID.

    Returns:
        For each base station, for each of its clients, sorted indices; each sample has exactly one client.

    Raises:
        DataError: there are fewer samples than clients or shards, or labels to split by that are no classes.
    """
    parts = stations * clients
    if labels.ndim > 1 and (alpha is not None or shards is not None):
        raise DataError("alpha and shards split by label, and these labels are numbers to predict: split IID")
    if alpha is not None:
        flat = split_dirichlet(labels, parts, alpha, seed)
    elif shards is not None:
        flat = split_shards(labels, parts, shards, seed)
    else:
        flat = split_iid(len(labels), parts, seed)
    return [flat[first : first + clients] for first in range(0, parts, clients)]


def check_parts(parts: Parts, samples: int, stations: int) -> list[list[Indices]]:
    """A split of one's own as arrays.

    Args:
        parts: the split.
        samples: number of training samples.
        stations: number of base stations.

    Raises:
        DataError: it is for another number of base stations, a base station or a client has nothing, an index is none,
            or a sample has two clients.
    """
    try:
        found = [[np.asarray(indices) for indices in clients] for clients in parts]
        if any(indices.ndim != 1 for clients in found for indices in clients):
            raise ValueError("no list of indices")
    except (TypeError, ValueError) as error:
        raise DataError(
            "a partition holds, for each base station, for each of its clients, indices; a function that returns one "
            "is named in the configuration"
        ) from error
    if len(found) != stations:
        raise DataError(f"the partition is for {len(found)} base stations, not {stations}")
    for station, clients in enumerate(found):
        if not clients:
            raise DataError(f"the partition gives base station {station} no client")
        for client, indices in enumerate(clients):
            what = f"the partition gives client {client} of base station {station}"
            if not len(indices):
                raise DataError(f"{what} no training sample")
            if not np.issubdtype(indices.dtype, np.integer):
                raise DataError(f"{what} indices that are no whole numbers")
            if indices.min() < 0 or indices.max() >= samples:
                raise DataError(f"{what} indices beyond 0 … {samples - 1}")
    values, counts = np.unique(np.concatenate(list(chain.from_iterable(found))), return_counts=True)
    if (counts > 1).any():
        raise DataError(f"the partition gives training sample {values[counts > 1][0]} to more than one client")
    return [[indices.astype(np.int64) for indices in clients] for clients in found]


def _enough(samples: int, clients: int) -> None:
    if samples < clients:
        raise DataError(f"{samples} training samples cannot be split over {clients} clients: some would have none")
