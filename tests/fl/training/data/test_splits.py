"""Splits give each image to exactly one client and none to nobody."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.training.data.splits import split_dirichlet, split_hierarchy, split_iid, split_shards
from fl.training.errors import DataError

seeds = st.integers(0, 2**63 - 1)
alphas = st.one_of(st.none(), st.floats(1e-3, 1e3))


def unevenness(labels: np.ndarray, parts: list[np.ndarray]) -> float:
    """Mean share of a part's commonest label."""
    return float(np.mean([np.bincount(labels[part]).max() / len(part) for part in parts]))


@given(st.data(), st.integers(1, 5), st.integers(1, 5), alphas, seeds)
def test_split__any__partitions_the_images_exactly(
    data: st.DataObject, stations: int, clients: int, alpha: float | None, seed: int
) -> None:
    labels = data.draw(st.lists(st.integers(0, 9), min_size=stations * clients, max_size=200))
    split = split_hierarchy(np.array(labels), stations, clients, alpha, seed)
    assert [len(station) for station in split] == [clients] * stations
    parts = [part for station in split for part in station]
    assert all(len(part) > 0 for part in parts)
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))


@given(st.integers(1, 300), st.integers(1, 20), seeds)
def test_split_iid__any__sizes_differ_by_one_at_most(count: int, parts: int, seed: int) -> None:
    sizes = [len(part) for part in split_iid(max(count, parts), parts, seed)]
    assert max(sizes) - min(sizes) <= 1


def test_split_dirichlet__smaller_alpha__is_less_even() -> None:
    labels = np.repeat(np.arange(10), 200)
    measured = [unevenness(labels, split_dirichlet(labels, 8, alpha, seed=3)) for alpha in (0.05, 0.5, 5.0, 1e4)]
    assert measured == sorted(measured, reverse=True)
    assert measured[0] > 0.5
    assert measured[-1] < 0.15


@pytest.mark.parametrize("alpha", [1e16, 1e300, 1e308])
def test_split_dirichlet__largest_alpha__is_even(alpha: float) -> None:
    """Beyond what sums of its parameters can hold, too."""
    sizes = [len(part) for part in split_dirichlet(np.repeat(np.arange(10), 200), 8, alpha, seed=3)]
    assert set(sizes) == {250}


def test_split_dirichlet__mean_share__is_that_of_the_distribution() -> None:
    labels = np.zeros(1000, dtype=np.int64)
    shares = [len(split_dirichlet(labels, 4, 0.5, seed)[0]) / 1000 for seed in range(400)]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.04)
    assert np.var(shares) == pytest.approx(0.25 * 0.75 / (4 * 0.5 + 1), rel=0.2)


@given(alphas)
def test_split__same_seed__is_the_same_and_another_seed_is_not(alpha: float | None) -> None:
    labels = np.arange(300) % 3
    first, again, other = (split_hierarchy(labels, 3, 2, alpha, seed) for seed in (7, 7, 8))
    flat = [np.concatenate([part for station in split for part in station]) for split in (first, again, other)]
    assert np.array_equal(flat[0], flat[1])
    assert not np.array_equal(flat[0], flat[2])


@given(st.integers(2, 40), st.integers(0, 60), st.integers(1, 3), seeds)
def test_split_dirichlet__parts_that_drew_nothing__take_from_the_largest_the_first_of_equals(
    parts: int, more: int, kinds: int, seed: int
) -> None:
    """By the definition, which is quadratic."""
    labels = np.arange(parts + more) % kinds
    random = np.random.default_rng(seed)
    drawn: list[list[np.ndarray]] = [[] for _ in range(parts)]
    for label in np.unique(labels):
        images = random.permutation(np.flatnonzero(labels == label))
        cuts = np.rint(np.cumsum(random.dirichlet(np.full(parts, 0.05)))[:-1] * len(images)).astype(np.int64)
        for part, piece in zip(drawn, np.split(images, cuts), strict=True):
            part.append(piece)
    expected = [np.concatenate(pieces) for pieces in drawn]
    for index in range(parts):
        if len(expected[index]) == 0:
            largest = max(range(parts), key=lambda part: len(expected[part]))
            expected[index], expected[largest] = expected[largest][-1:], expected[largest][:-1]
    found = split_dirichlet(labels, parts, 0.05, seed)
    assert [part.tolist() for part in found] == [sorted(part.tolist()) for part in expected]


def test_split_dirichlet__four_times_the_parts__takes_four_times_the_steps() -> None:
    """Counted in lines of Python: the time of a crowded machine says nothing."""

    def lines_of(parts: int) -> int:
        count = 0

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal count
            if "splits.py" not in frame.f_code.co_filename:
                return None
            count += event == "line"
            return trace

        labels = np.zeros(2 * parts, dtype=np.int64)
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            split_dirichlet(labels, parts, 0.01, seed=0)
        finally:
            sys.settrace(before)
        return count

    assert lines_of(800) < 5 * lines_of(200)


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_split__fewer_images_than_clients__says_so(alpha: float | None) -> None:
    with pytest.raises(DataError, match="5 training samples cannot be split over 6 clients"):
        split_hierarchy(np.zeros(5, dtype=np.int64), 3, 2, alpha, seed=0)


@given(st.lists(st.integers(0, 9), min_size=60, max_size=200), st.integers(1, 5), st.integers(1, 4), seeds)
def test_split_shards__any__partitions_the_images_into_runs_of_labels(
    labels: list[int], parts: int, shards: int, seed: int
) -> None:
    split = split_shards(np.array(labels), parts, shards, seed)
    assert sorted(np.concatenate(split)) == list(range(len(labels)))
    sizes = [len(part) for part in split]
    assert max(sizes) - min(sizes) <= shards
    # a shard of s images touches the labels of s consecutive places in the sorted list
    place = np.sort(labels)
    size = -(-len(labels) // (parts * shards))
    most = max(len(set(place[first : first + size])) for first in range(len(labels)))
    assert all(len({labels[index] for index in part}) <= shards * most for part in split)


def test_split_shards__two_a_client__leaves_it_two_labels_or_so() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 6000)
    split = split_shards(labels, 100, 2, seed=1)
    counts = [len(set(labels[part])) for part in split]
    assert max(counts) <= 4 and np.mean(counts) < 2.5
    assert not np.array_equal(split[0], split_shards(labels, 100, 2, seed=2)[0])
    assert np.array_equal(split[0], split_hierarchy(labels, 20, 5, None, 1, shards=2)[0][0])


def test_split_shards__fewer_images_than_shards__says_so() -> None:
    with pytest.raises(DataError, match="5 training samples cannot be cut into 2 shards for each of 3 clients"):
        split_hierarchy(np.zeros(5, dtype=np.int64), 3, 1, None, seed=0, shards=2)
