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
    MODULE = 10


def derive_seed(seed: int, stream: Stream, *path: int) -> int:
    """A 63-bit seed that depends on every number given (numpy's SeedSequence, the path as spawn key).

    Of it torch's generators on a CPU use 32 bits, too few for a secret.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(stream, *path))
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1
