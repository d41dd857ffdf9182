"""Variants of the same steps end at the same parameters, and what a device cannot do is said."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from analysis.benchmarks.training import device_step
from analysis.benchmarks.training.device_step import CONFIG, VARIANTS, Variant, measure, modules_for
from fl.training.model import steps
from fl.training.model.spec import ModelSpec
from fl.training.model.steps import Batch
from tests.support.drift import assert_trained_alike, in_float64
from tests.support.gpu import needs_gpu

CPU = torch.device("cpu")
SPEC = ModelSpec("small-cnn", (3, 8, 8), 10)
BY_NAME = {variant.name: variant for variant in VARIANTS}
QUICK = [variant for variant in VARIANTS if variant.name != "compiled"]
PLAIN = BY_NAME["plain: as usually written"]


def batches(count: int) -> list[Batch]:
    random = torch.Generator().manual_seed(0)
    return [device_step.random_batch(SPEC, 6, CPU, random) for _ in range(count)]


def trained(variant: Variant, given: Sequence[Sequence[Batch]]) -> list[nn.Module]:
    modules = modules_for(variant, SPEC, len(given[0]), CPU)
    take = variant.make(modules, CONFIG)
    for each in given:
        take(each)
    return modules


@pytest.fixture
def given() -> list[list[Batch]]:
    return [batches(3)[:2], batches(3)[1:]]


def assert_same(found: Sequence[nn.Module], expected: Sequence[nn.Module]) -> None:
    starts = modules_for(PLAIN, SPEC, len(expected), CPU)
    for one, other, start in zip(found, expected, starts, strict=True):
        assert_trained_alike(one.state_dict(), other.state_dict(), start.state_dict())


@in_float64()
def test_engine__same_batches__is_the_plain_loop(given: list[list[Batch]]) -> None:
    assert_same(trained(BY_NAME["the engine's"], given), trained(PLAIN, given))


def replayed(compute: Callable[[], None], _device: torch.device) -> Callable[[], None]:
    compute()
    return compute


def test_graphs__modules_that_nobody_else_keeps__are_kept(
    given: list[list[Batch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "record_graph", replayed)
    take = BY_NAME["CUDA graphs"].make(modules_for(PLAIN, SPEC, 2, CPU), replace(CONFIG, graphs=True))
    gc.collect()
    for each in given:
        take(each)


def test_measure__on_a_cpu__says_what_needs_a_gpu() -> None:
    taken, unable = measure(QUICK, SPEC, 2, 4, CPU, rounds=2)
    assert {"plain: as usually written", "the engine's"} <= taken.keys()
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in taken.values())
    assert unable.keys() | taken.keys() == {variant.name for variant in QUICK}
    for variant in QUICK:
        if variant.graphs:
            assert unable[variant.name] == "needs a GPU"


def invoke(*options: str) -> click.testing.Result:
    size = ("--device", "cpu", "--model", "small-cnn", "--batch", "4", "--clients", "1", "--rounds", "1")
    return CliRunner().invoke(device_step.main, [*size, *options])


def test_command__first_variant_not_to_be_had__shows_the_others() -> None:
    done = invoke("--variant", "the engine's", "--variant", "CUDA graphs")
    assert done.exit_code == 0 and "× the engine's" in done.output
    done = invoke("--variant", "CUDA graphs")
    assert done.exit_code == 0, done.output
    assert "needs a GPU" in done.output


def test_command__file_that_cannot_be_written__is_one_line_before_any_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = invoke("--out", str(tmp_path / "file" / "x.json"))
    assert (done.exit_code, done.output) == (1, f"Error: {tmp_path / 'file'}: File exists\n")


@needs_gpu
def test_measure__on_a_gpu__can_do_all() -> None:
    taken, unable = measure(QUICK, SPEC, 2, 4, torch.device("cuda"), rounds=2)
    assert unable == {}
    assert len(taken) == len(QUICK)
