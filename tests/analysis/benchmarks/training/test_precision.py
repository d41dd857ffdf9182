"""How two precisions' orders of contributions are compared, and that the command runs what it says."""

from __future__ import annotations

from fractions import Fraction

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analysis.benchmarks.training.precision import FLOAT32, OTHER, VARIANTS, Outcome, agreement, main, play
from fl.training.errors import TrainingError

values = st.lists(st.fractions(-1, 1, max_denominator=100), min_size=2, max_size=6, unique=True)


def run(*rounds: list[Fraction]) -> Outcome:
    return Outcome(0.5, rounds)


@given(values)
def test_agreement__same_order__is_one_and_the_reverse_minus_one(order: list[Fraction]) -> None:
    assert agreement([run(order)], [run([2 * value + 1 for value in order])]) == pytest.approx(1)
    assert agreement([run(order)], [run([-value for value in order])]) == pytest.approx(-1)


@given(values)
def test_agreement__round_without_an_order__is_left_out(order: list[Fraction]) -> None:
    alike = [Fraction(1)] * len(order)
    assert agreement([run(order, order)], [run(alike, order)]) == pytest.approx(1)
    assert agreement([run(order)], [run(alike)]) is None


@pytest.mark.heavy
def test_play__float32_twice__is_the_same_and_each_variant_is_told_apart() -> None:
    options = ["--rounds", "1", "--train-images", "80", "--test-images", "50", "--stations", "2", "--clients", "1"]
    first, second = (play(FLOAT32, 1, [*options, "--contribution", "leave-one-out"]) for _ in range(2))
    assert first == second
    assert [len(contributions) for contributions in first.contributions] == [2]
    assert len({(precision, tuple(environment)) for precision, environment in VARIANTS.values()}) == 3
    assert VARIANTS[OTHER][0] == VARIANTS[FLOAT32][0] == "float32"


def test_main__cpu_without_bfloat16__says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise TrainingError("this CPU has no instructions for bfloat16: use float32")

    monkeypatch.setattr("analysis.benchmarks.training.precision.check_precision", refuse)
    result = CliRunner().invoke(main, ["--seeds", "1"])
    assert result.exit_code == 1
    assert "no instructions for bfloat16" in result.output
