"""The cost figure: what its claims would notice, and that it agrees with the benchmark of whole rounds."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from analysis import figures
from analysis.benchmarks.contract.result_files import read_rounds
from analysis.figures.cost import STEPS, claims, dollars
from analysis.figures.figure import Setting
from analysis.figures.record import read

Doctor = Callable[[dict[str, Any]], None]


def dearer_in_large_rounds(data: dict[str, Any]) -> None:
    data["sizes"][-1]["gas"] *= 2


def one_large_transaction(data: dict[str, Any]) -> None:
    data["sizes"][-1]["largest_transaction"] = 2**24


def dear_ether(data: dict[str, Any]) -> None:
    data["settings"]["dollars_an_ether"] *= 2


def dear_votes(data: dict[str, Any]) -> None:
    data["sizes"][-1]["by_step"]["vote"] *= 100


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (dearer_in_large_rounds, "never costs more"),
        (one_large_transaction, "no transaction takes more"),
        (dear_ether, "if an ether is worth"),
        (dear_votes, "dearest steps"),
    ],
)
def test_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    data = deepcopy(read("cost", Setting.QUICK)["data"])
    doctor(data)
    assert any(noticed in claim.text for claim in claims(data) if not claim.holds)


@pytest.mark.parametrize("setting", [Setting.QUICK, Setting.FULL])
def test_gas__committed__is_that_of_the_benchmark(setting: Setting) -> None:
    benchmark = {size.members: size.hcfl for size in read_rounds().sizes}
    sizes = read("cost", setting)["data"]["sizes"]
    both = [size for size in sizes if size["members"] in benchmark]
    assert len(both) > 1
    for size in both:
        assert size["gas"] == pytest.approx(benchmark[size["members"]], rel=0.01), f"{size['members']} members"
        assert sum(size["by_step"].values()) == size["gas"]
        assert set(size["by_step"]) == set(STEPS)


def test_table__of_the_captions__has_the_committed_numbers() -> None:
    data = read("cost", Setting.FULL)["data"]
    page = (Path(figures.__file__).parent / "README.md").read_text(encoding="utf-8")

    def shown(gas: float, price: float) -> str:
        found = dollars(gas, price, data)
        return f"${found:,.2f}" if found < 10 else f"${found:,.0f}"

    for size in data["sizes"]:
        gas, members = size["gas"], size["members"]
        prices = [f"{shown(gas, price)} / {shown(gas / members, price)}" for price in (0.1, 1, 10, 50)]
        cells = [f"{members:,}", f"{gas / 1e6:,.1f}M", f"{gas / members:,.0f}", *prices]
        assert f"| {' | '.join(cells)} |" in page


def test_dollars__by_hand() -> None:
    assert dollars(1_000_000, 10, {"settings": {"dollars_an_ether": 2_000}}) == pytest.approx(20)
