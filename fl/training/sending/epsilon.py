"""ε of Gaussian mechanisms in sequence, exactly (no torch here).

A sequence of k of them with the multiplier z, each chosen with the ones before in sight, is as private as a single one
with z / √k (Dong, Roth and Su 2022, Corollary 3.3), whose ε for a δ is known exactly (Balle and Wang 2018, Theorem 8).
So there is no need for the bounds of Rényi accountants, which are for clients that are drawn in secret.
"""

from __future__ import annotations

import math

from scipy.special import log_ndtr


def epsilon_of(noise_multiplier: float, releases: int, delta: float) -> float:
    """The least ε, rounded up a little, of so many Gaussian mechanisms in sequence.

    Args:
        noise_multiplier: z of each.
        releases: how many there are.
        delta: δ.
    """
    if releases == 0:
        return 0.0
    mu = math.sqrt(releases) / noise_multiplier
    low, high = 0.0, mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta))  # of concentrated privacy: never too low
    while high - low > 1e-6 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (low, middle) if _delta_of(middle, mu) <= delta else (middle, high)
    return high


def _delta_of(epsilon: float, mu: float) -> float:
    """δ of a Gaussian mechanism with the multiplier 1/μ: Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ)."""
    first, second = (float(log_ndtr(place)) for place in (mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu))
    return math.exp(first) - math.exp(min(epsilon + second, first))
