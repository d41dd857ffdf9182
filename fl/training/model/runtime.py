"""Settings of torch that are global, held only while something is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from fl.training.errors import TrainingError


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Compute with this many of torch's threads; put back the number there was."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seed what a module draws itself (dropout), and let cuDNN choose only algorithms that give the same bits again.

    Puts back torch's random state and cuDNN's settings. cuBLAS gives the same bits while it works on one stream.
    """
    cudnn = torch.backends.cudnn
    before = (cudnn.deterministic, cudnn.benchmark)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            # torch.manual_seed also tells every kind of GPU that is not there, at 27 % of the time of small clients
            torch.default_generator.manual_seed(seed)
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Let operations compute in a precision of `fl.training.config.PRECISIONS`."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, precision))


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that the device only emulates, which takes longer than float32.

    Raises:
        TrainingError: the device has no instructions for it.
    """
    if precision == "float32":
        return
    if device.type == "cuda":
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

    Raises:
        TrainingError: there is no such device, or it is of another kind.
    """
    count = torch.cuda.device_count()
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise TrainingError(f"unknown device {name!r}: choose cpu, cuda, cuda:<number> or auto")
    if device.type == "cuda" and (device.index or 0) >= count:
        raise TrainingError(f"device {name} is not there: torch finds {count} GPUs on this machine")
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else torch.device("cpu")
