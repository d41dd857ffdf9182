"""The page of the figures: each number that it tells of one is in the figure's data, or worked out of them here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import figures
from analysis.figures import accuracy, social_utility, throughput
from analysis.figures.catalogue import NAMES, figure
from analysis.figures.figure import Data, Setting
from analysis.figures.record import read, stem_of

PAGE = (Path(figures.__file__).parent / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d[\d,]*(?<!,)(?:\.\d+)?(?: ± \d+(?:\.\d+)?)?")
OF_OTHERS = {
    "truth": {"3"},  # the paper's figure
    "throughput": {"225", "2022", "7935", "2", "24", "6"},  # EIPs and their year, 2^24, six seconds' tasks
    "cost": {"2,048"},  # a list of 2^11 names
    "social-utility": {"95"},  # intervals
    "accuracy": {"95"},
    "tax": {"95"},
}


def section(name: str) -> str:
    """What the page says below a figure's title, without its picture, tables and addresses."""
    found = re.search(rf"\n## {name}\b[^\n]*\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)
    assert found, name
    lines = [line for line in found[1].splitlines() if not line.startswith(("|", "!["))]
    return re.sub(r"\]\([^)]*\)", "]", " ".join(lines))


def settings(value: Any) -> Iterator[str]:
    """All numbers of a setting, as a page may write them."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from settings(each)
    elif isinstance(value, str):
        yield from NUMBER.findall(value)
    elif isinstance(value, int | float):
        yield from (str(value), f"{value:,}", f"{100 * value:g}")


def held(name: str) -> set[str]:
    """Numbers of a figure as pictured, and of the quick one beside if it trains: of settings, and what claims say."""
    found = set(OF_OTHERS.get(name, ()))
    pictured = re.search(rf"results/(\w+)/{name}\.svg", PAGE)
    assert pictured, name
    for setting in {Setting(pictured[1])} | ({Setting.QUICK} if figure(name).trains else set()):
        data = read(name, setting)["data"]
        found |= {*settings(data["settings"])}
        found |= {number for claim in figure(name).claims(data) for number in NUMBER.findall(claim.text)}
    return found | {number for text in worked_out().get(name, ()) for number in NUMBER.findall(text)}


def worked_out() -> dict[str, list[str]]:
    """Sentences that say more than the claims, as the data have them."""
    markets = read("accuracy", Setting.CPU)["data"]["markets"]
    wide = [
        claim
        for each in (*markets["few"], *markets["most"])
        for targets, claim in zip(each["proposals"], each["claims"], strict=True)
        if len(targets) == 10
    ]
    minutes = sum(read(name, Setting.CPU)["seconds"] for name in ("accuracy", "social-utility")) / 60
    cifar, digits = (read("social-utility", setting)["data"] for setting in (Setting.CPU, Setting.QUICK))
    six = [model["accuracy"] for each in rounds(cifar) for model in each["models"].values() if of_size(model, 6)]
    lost = [
        -social_utility.accumulated(cifar, strategy, social_utility.welfare)[:, -1].mean()
        for strategy in ("auction", "random")
    ]
    over = [
        np.mean([
            each["models"][strategy]["accuracy"] - each["claims"][each[scores].index(max(each[scores]))]
            for each in rounds(digits)
        ])
        for strategy, scores in (("auction", "scores"), ("forecast", "forecast_scores"))
    ]  # fmt: skip
    pilot = round(digits["settings"]["pilot"] * digits["settings"]["train_images"])
    full = accuracy.PLANS[Setting.FULL], social_utility.PLANS[Setting.FULL]
    stream = read("throughput", Setting.QUICK)["data"]
    private, main = map(throughput.saturation, stream["networks"])
    task = stream["task"]
    return {
        "accuracy": [
            f"forecasts of {100 * min(wide):.0f} to {100 * max(wide):.0f} % on ten labels",
            f"{minutes:.0f} minutes of two busy cores",
            f"ResNet-50 on {full[0].train_images:,} images of CIFAR-10 for {full[0].rounds} global rounds",
        ],
        "social-utility": [
            f"({100 * np.mean(six):.0f} % on six labels)",
            f"these lose {lost[0]:.0f} and {lost[1]:.0f} gwei a seed",
            f"a pilot on {pilot} images",
            f"models that labels alone select reach {100 * over[0]:.1f} points more than was claimed for them, those "
            f"that forecasts select {100 * over[1]:.1f}.",
            f"ResNet-50 ({full[1].train_images:,} images",
        ],
        "throughput": [
            f"That is {task['transactions']} transactions and {task['gas'] / 1e6:.1f}M gas",
            f"at {private:.1f} transactions a second (one task in {task['transactions'] / private:.0f} s)",
            f"at {main:.0f} (five tasks in {5 * task['transactions'] / main:.0f} s)",
        ],
    }


def rounds(data: Data) -> list[Data]:
    """All rounds of all seeds."""
    return [each for seed in data["seeds"] for each in seed]


def of_size(model: Data | None, labels: int) -> bool:
    """Whether there is a model, and of so many labels."""
    return model is not None and len(model["targets"]) == labels


@pytest.mark.parametrize("name", NAMES)
def test_page__each_number_of_a_figure__is_in_its_data(name: str) -> None:
    assert not {*NUMBER.findall(section(name))} - held(name)


@pytest.mark.parametrize("name", ["accuracy", "social-utility", "throughput"])
def test_page__what_is_worked_out_here__stands_there(name: str) -> None:
    said = " ".join(section(name).split())
    assert [text for text in worked_out()[name] if text not in said] == []


def test_page__number_that_nobody_measured__is_found() -> None:
    assert {*NUMBER.findall("of 230,247 lies, by 7.9 ± 7.1 points")} - held("tax") == {"230,247", "7.9 ± 7.1"}


def test_page__how_long_they_took__is_recorded() -> None:
    longest = [
        max(
            read(name, setting)["seconds"]
            for name in NAMES
            if stem_of(name, setting).with_suffix(".json").exists()
        )
        for setting in (Setting.FULL, Setting.QUICK)
    ]  # fmt: skip
    first, second = (math.ceil(each / 60) for each in longest)
    assert f"each of the first took at most {first} minutes, of the second {second}." in " ".join(PAGE.split())
