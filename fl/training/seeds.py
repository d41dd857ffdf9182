"""Independent seeds for each part of a run: a base station draws the same whoever trains before it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a seed is for; the first number of its path."""

    MODEL = 0
    SUBSET = 1
    SPLIT = 2
    CLIENT = 3
    CLIENTS_PRESENT = 4
    STATIONS_PRESENT = 5
    PERMUTATIONS = 6
    OWN_TEST = 7
    PILOT = 8
    QUANTISATION = 9
    NOISE = 10
    MODULE = 11


def derive_seed(seed: int, stream: Stream, *path: int) -> int:
    """A 63-bit seed that depends on every number given; of it torch's generators on the CPU use 32 bits."""
    return int(_sequence(seed, stream, path).generate_state(1, np.uint64)[0]) >> 1


def generator_of(seed: int, stream: Stream, *path: int) -> np.random.Generator:
    """A generator of its own for a part of a run, of whose seed 128 bits count: too many to try them all."""
    return np.random.default_rng(_sequence(seed, stream, path))


def _sequence(seed: int, stream: Stream, path: tuple[int, ...]) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(stream, *path))
