"""Torch's global settings are held only while something is computed, and say what was asked for."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from fl.training.crews.ranks import own_device
from fl.training.model.runtime import autocast, exactly, held, pick_device, reproducible, use_threads

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def settings() -> list[Any]:
    """Of a GPU; they can be set where there is none."""
    cudnn = torch.backends.cudnn
    return [
        cudnn.conv.fp32_precision,
        cudnn.rnn.fp32_precision,
        torch.backends.cuda.matmul.fp32_precision,
        cudnn.deterministic,
        cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
    ]


def test_exactly__on_a_gpu__holds_its_settings_and_puts_all_back() -> None:
    before = settings()
    with pytest.raises(KeyError), exactly(GPU):
        assert settings() == ["ieee", "ieee", "ieee", True, False, True, True, False]
        raise KeyError
    assert settings() == before
    assert before[0] != "ieee", "this shows nothing"


def test_exactly__in_tf32__rounds_as_told_and_gives_the_same_bits() -> None:
    with exactly(GPU, "tf32"):
        assert settings() == ["tf32", "tf32", "tf32", True, False, True, True, False]


def test_exactly__where_others_hold_the_settings__leaves_them_alone() -> None:
    """Threads beside each other would put back what another had set."""
    before, random, threads = settings(), torch.get_rng_state(), torch.get_num_threads()
    with held(), exactly(GPU), reproducible(3, CPU), use_threads(threads + 1):
        assert settings() == before
        assert torch.equal(torch.get_rng_state(), random)
        assert torch.get_num_threads() == threads
    with exactly(GPU):
        assert settings() != before, "held for too long"


def test_exactly__on_a_cpu__changes_nothing() -> None:
    before = settings()
    with exactly(CPU):
        assert settings() == before


def test_autocast__float32_in_a_callers_bfloat16__computes_float32() -> None:
    rows = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert (rows @ rows).dtype == torch.bfloat16
        with autocast("float32", CPU):
            assert (rows @ rows).dtype == torch.float32


def test_autocast__weight_changed_in_a_callers_bfloat16__is_cast_anew() -> None:
    """A cast kept from before a step would be the old weight's, and missing in what is recorded."""
    weight, image = torch.ones(2, 2, requires_grad=True), torch.ones(1, 2)
    with torch.autocast("cpu", torch.bfloat16):
        for value in (1.0, 3.0):
            with torch.no_grad():
                weight.fill_(value)
            with autocast("bfloat16", CPU):
                assert float(torch.nn.functional.linear(image, weight)[0, 0].detach()) == 2 * value


def test_pick_device__a_gpu__sets_cublas_workspace_before_cuda_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    assert pick_device("cpu") == CPU
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    assert pick_device("auto") == torch.device("cuda:0")
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8", "the user's own stands"


@pytest.mark.parametrize(("rank", "chosen"), [("1", [1]), ("5", [])])
def test_own_device__of_a_rank__is_the_current_one(
    monkeypatch: pytest.MonkeyPatch, rank: str, chosen: list[int]
) -> None:
    """NCCL, and whatever names no device, uses the current one; one that is not there is refused later."""
    found: list[int] = []
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", found.append)
    assert own_device("cuda") == f"cuda:{rank}"
    assert own_device("cpu") == "cpu"
    assert found == chosen
