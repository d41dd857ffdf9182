"""Settings of torch that are global, held only while something is computed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch

from fl.training.errors import TrainingError

_HELD: ContextVar[bool] = ContextVar("held", default=False)


@contextmanager
def held() -> Iterator[None]:
    """In a thread beside others: leave these settings alone, as whoever started the threads holds them for all."""
    token = _HELD.set(True)
    try:
        yield
    finally:
        _HELD.reset(token)


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Compute with this many of torch's threads; put back the number there was."""
    if _HELD.get():
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(seed: int, device: torch.device, precision: str = "float32") -> Iterator[None]:
    """Seed what a module draws itself (dropout), and compute `exactly`; puts back torch's random state."""
    if _HELD.get():
        yield
        return
    with exactly(device, precision), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # torch.manual_seed also tells every kind of GPU that is not there, at 27 % of the time of small clients
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def exactly(device: torch.device, precision: str = "float32") -> Iterator[None]:
    """Let a GPU compute float32 in float32, and the same bits again, as far as its libraries can; puts all back.

    Convolutions would be rounded to TF32's ten bits by default, and are where that is the precision. Of an operation's
    algorithms one is chosen that gives the same bits again; where none does, the one that there is runs, without a
    word: most of those, such as the gradient of a pooling without overlap, add each number once. cuBLAS gives the same
    bits on one stream, with the workspace that `pick_device` sets.
    """
    if device.type != "cuda" or _HELD.get():
        yield
        return
    cudnn, algorithms = torch.backends.cudnn, torch.utils.deterministic
    precisions: list[Any] = [cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
    before = (cudnn.deterministic, cudnn.benchmark, algorithms.fill_uninitialized_memory)  # type: ignore[attr-defined]
    rounded = [each.fp32_precision for each in precisions]
    chosen = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*does not have a deterministic implementation")
            torch.use_deterministic_algorithms(True, warn_only=True)
            cudnn.deterministic, cudnn.benchmark = True, False
            algorithms.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            for each in precisions:
                each.fp32_precision = "tf32" if precision == "tf32" else "ieee"
            yield
    finally:
        for each, precision in zip(precisions, rounded, strict=True):
            each.fp32_precision = precision
        cudnn.deterministic, cudnn.benchmark, algorithms.fill_uninitialized_memory = before  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(chosen[0], warn_only=chosen[1])


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Let operations compute in a precision of `fl.training.config.PRECISIONS`, whatever the caller computes in.

    Weights are cast anew for each operation: a cast that was kept from before would be missing in a recorded step.
    """
    if precision == "bfloat16":
        return torch.autocast(device.type, getattr(torch, precision), cache_enabled=False)
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that the device only emulates, which takes longer than float32.

    Raises:
        TrainingError: the device has no instructions for it.
    """
    if precision == "float32":
        return
    if precision == "tf32":
        able = device.type == "cuda" and torch.cuda.is_tf32_supported()
    elif device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if not able:
        raise TrainingError(f"this {device.type.upper()} has no instructions for {precision}: use float32")


def check_graphs(wanted: bool, device: torch.device) -> None:
    """Refuse recorded steps where there is nothing to record them with.

    Raises:
        TrainingError: the device is no GPU of Nvidia's.
    """
    if wanted and device.type != "cuda":
        raise TrainingError(f"CUDA graphs are for a CUDA device, not {device.type}: leave --graphs out")


def pick_device(name: str) -> torch.device:
    """The device of this name; "auto" is the first GPU, or the CPU where there is none.

    Whoever computes on a GPU asks here first, before CUDA starts: it then reads from the environment that cuBLAS is to
    give the same bits again.

    Raises:
        TrainingError: there is no such device, or it is of another kind.
    """
    count = torch.cuda.device_count()
    if name == "auto":
        name = "cuda:0" if count else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise TrainingError(f"unknown device {name!r}: choose cpu, cuda, cuda:<number> or auto")
    if device.type == "cuda" and (device.index or 0) >= count:
        raise TrainingError(
            f"device {name} is not there: torch finds {count} GPUs on this machine: choose cpu, or auto"
        )
    if device.type == "cpu":
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device("cuda", device.index or 0)
