"""Rounding stays below the limit for trainings that are alike, and every fault of the arithmetic lies above it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.support.drift import (
    SETTINGS,
    STEPS,
    Setting,
    State,
    assert_trained_alike,
    drift,
    drifts,
    in_float64,
    limit_of,
    trained,
)

FEW = 25


def last(setting: Setting, steps: int) -> tuple[State, State]:
    *_, (start, state) = trained(setting, steps)
    return start, state


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_drift__float32_against_float64__is_below_the_limit(setting: Setting) -> None:
    (start, _) = last(setting, 1)
    assert 0 < max(drifts(setting, STEPS)) <= limit_of(start) / 5


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize(
    ("what", "change"),
    [("rate", 1.01), ("momentum", 1.01), ("batch", 15 / 16)],
)
def test_drift__one_setting_a_little_off__is_far_above_the_limit(setting: Setting, what: str, change: float) -> None:
    start, expected = last(setting, FEW)
    value = type(getattr(setting, what))(getattr(setting, what) * change)
    _, found = last(replace(setting, **{what: value}), FEW)
    assert drift(found, expected, start) > 10 * limit_of(start)


def test_drift__a_step_more__is_far_above_the_limit() -> None:
    start, expected = last(SETTINGS[0], FEW)
    _, found = last(SETTINGS[0], FEW + 1)
    assert drift(found, expected, start) > 10 * limit_of(start)


def test_assert_trained_alike__no_number__fails() -> None:
    start, state = {"w": torch.zeros(2)}, {"w": torch.ones(2)}
    assert_trained_alike(state, state, start)
    with pytest.raises(AssertionError, match="of the way trained apart"):
        assert_trained_alike({"w": torch.tensor([1, math.nan])}, state, start)


def test_limit__of_float64__is_smaller_by_its_precision() -> None:
    with in_float64():
        double = {"w": torch.zeros(2), "steps": torch.zeros(2, dtype=torch.int64)}
    assert limit_of({"w": torch.zeros(2)}) == limit_of(double) * 2**29
    assert torch.get_default_dtype() is torch.float32
