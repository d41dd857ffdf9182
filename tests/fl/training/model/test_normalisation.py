"""The kernels of group normalisation compute what PyTorch does, and are used where they should be.

Tests named `test_kernels__` run on a GPU. Where there is none, Triton's interpreter runs the same kernels on the CPU,
in a process of its own: it must be asked for before Triton is imported.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from fl.training.config import StationConfig
from fl.training.model import normalisation
from fl.training.model.normalisation import GroupNorm
from fl.training.model.spec import ModelSpec
from fl.training.model.steps import Batch, Steps
from tests.support.gpu import needs_gpu

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
EPSILON = 1e-5
ROUNDED = 2**-7 if INTERPRETED else 2**-8
"""Relative error of a bfloat16 number: the GPU rounds to the nearest, the interpreter towards zero."""

SHAPES = {
    "one image, nothing a power of two": (1, 6, 5, 3, 2),
    "pairs of channels": (2, 64, 8, 4, 32),
    "seven groups, four at a time": (3, 21, 3, 3, 7),
    "one pixel": (2, 48, 1, 1, 4),
    "as much as fits": (1, 64, 16, 16, 1),
}
"""Images, channels, height, width, groups."""


def runs_kernels(test: Callable[..., None]) -> Callable[..., None]:
    return test if INTERPRETED else needs_gpu(test)


class Given:
    """Images far from zero, weights, and a gradient."""

    def __init__(self, shape: tuple[int, int, int, int, int], kind: torch.dtype) -> None:
        random = torch.Generator().manual_seed(0)
        size, self.groups = shape[:4], shape[4]
        images, gradient = (torch.randn(size, generator=random) for _ in range(2))
        weight, bias = (torch.randn(size[1], generator=random) for _ in range(2))
        away = 100 if kind == torch.float32 else 1
        self.images, self.gradient = ((3 * images + away).to(DEVICE, kind), gradient.to(DEVICE, kind))
        self.weight, self.bias = weight.to(DEVICE), bias.to(DEVICE)

    def by_kernels(self) -> list[torch.Tensor]:
        """Outputs, gradients of images, weight and bias."""
        from fl.training.model.normalisation_kernels import NormaliseGroups

        given = [each.detach().requires_grad_() for each in (self.images, self.weight, self.bias)]
        outputs = NormaliseGroups.apply(*given, self.groups, EPSILON)
        return [outputs.detach(), *torch.autograd.grad(outputs, given, self.gradient)]

    def by_pytorch(self) -> list[torch.Tensor]:
        """The same in float64."""
        given = [each.double().requires_grad_() for each in (self.images, self.weight, self.bias)]
        outputs = functional.group_norm(given[0], self.groups, given[1], given[2], EPSILON)
        return [outputs.detach(), *torch.autograd.grad(outputs, given, self.gradient.double())]


def channels_last(images: torch.Tensor) -> torch.Tensor:
    return images.contiguous(memory_format=torch.channels_last)


@runs_kernels
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_kernels__images_of_any_shape__are_normalised_and_differentiated_as_in_float64(
    shape: tuple[int, int, int, int, int], kind: torch.dtype
) -> None:
    given = Given(shape, kind)
    for place, (found, expected) in enumerate(zip(given.by_kernels(), given.by_pytorch(), strict=True)):
        of_images = place < 2
        assert found.dtype == (kind if of_images else torch.float32)
        assert not of_images or found.is_contiguous(memory_format=torch.channels_last)
        rounded = ROUNDED if of_images and kind == torch.bfloat16 else 0.0
        most = float(expected.abs().max())
        torch.testing.assert_close(found.double(), expected, rtol=rounded, atol=1e-5 * most)


@runs_kernels
def test_kernels__however_images_and_gradients_lie_in_memory__give_the_same_bits_again() -> None:
    given = Given(SHAPES["seven groups, four at a time"], torch.float32)
    given.gradient = torch.randn(21, 1, 1, device=DEVICE).expand(3, 21, 3, 3)  # one number for each channel
    expected = given.by_kernels()
    given.images, given.gradient = channels_last(given.images), given.gradient.contiguous()
    for turn in range(2):
        assert all(map(torch.equal, given.by_kernels(), expected)), turn


@runs_kernels
def test_kernels__what_a_program_takes__covers_each_number_and_fits() -> None:
    from fl.training.model.normalisation_kernels import fits, tile_for

    for channels, size, kind in ((64, 32, torch.float32), (64, 32, torch.bfloat16), (2048, 4, torch.bfloat16)):
        tile = tile_for(torch.empty(2, channels, size, size, dtype=kind, device="meta"), 32)
        assert tile.programs * tile.tile_groups == 32
        assert tile.width * tile.groups == channels
        assert tile.numbers <= 8192
    assert fits(torch.empty(1, 64, 128, 64, device="meta"), 32)
    assert not fits(torch.empty(1, 64, 129, 64, device="meta"), 32)


# ── without a GPU ──


def test_group_norm__kernels_under_tritons_interpreter__pass_their_tests() -> None:
    pytest.importorskip("triton")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--confcutdir={Path(__file__).parent}"]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(
        [*command, "-k", "test_kernels__", __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(SHAPES) * 2 + 2} passed" in ran.stdout
    assert "skipped" not in ran.stdout


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_group_norm__kernels__are_compiled_for_a_gpu_that_is_not_there(kind: str) -> None:
    """The interpreter lets pass what the compiler does not."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from fl.training.model import normalisation_kernels as kernels

    images = torch.empty(1, 64, 4, 4, dtype={"fp32": torch.float32, "bf16": torch.bfloat16}[kind], device="meta")
    tile = kernels.tile_for(images, 32)
    for kernel in (kernels._normalise, kernels._differentiate):
        sizes = kernel.arg_names[-len(tile) :]
        types = dict.fromkeys(kernel.arg_names, f"*{kind}")
        types |= dict.fromkeys({"weight", "bias", "statistics", "parts"} & types.keys(), "*fp32")
        types |= {"epsilon": "fp32"} if "epsilon" in types else {}
        types |= dict.fromkeys(sizes, "constexpr")
        source = ASTSource(kernel, types, dict(zip(sizes, tile, strict=True)))
        assert "cubin" in triton.compile(source, GPUTarget("cuda", 90, 32), {"num_warps": tile.warps}).asm


def test_group_norm__on_a_cpu__is_pytorchs_own() -> None:
    """The same bits, names and text, so that digests of trainings and of models stay."""
    ours, pytorchs = GroupNorm(4, 12), nn.GroupNorm(4, 12)
    assert list(ours.state_dict()) == list(pytorchs.state_dict())
    assert repr(ours) == repr(pytorchs)
    images = channels_last(torch.randn(2, 12, 5, 3))
    found = []
    for module in (ours, pytorchs):
        given = images.clone().requires_grad_()
        outputs = module(given)
        found.append([outputs, *torch.autograd.grad(outputs.square().sum(), [given, *module.parameters()])])
    assert all(map(torch.equal, *found))
    assert [each.stride() for each in found[0]] == [each.stride() for each in found[1]]


def test_group_norm__where_kernels_do_not_run__says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """As Triton's do on a CPU."""
    normalisation._kernels_run_on.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not any(normalisation._kernels_run_on(torch.device("cpu")) for _ in range(2))
    assert caplog.text.count("group normalisation on cpu is PyTorch's own, which is slower (") == 1


# ── on a GPU ──


def uses_kernels(outputs: torch.Tensor) -> bool:
    return type(outputs.grad_fn).__name__ == "NormaliseGroupsBackward"


@needs_gpu
@pytest.mark.parametrize("size", [32, 17, 1])
def test_group_norm__on_a_gpu__is_pytorchs_up_to_rounding(size: int) -> None:
    torch.manual_seed(0)
    ours = GroupNorm(32, 256).cuda()
    nn.init.normal_(ours.weight)
    pytorchs = nn.GroupNorm(32, 256).cuda()
    pytorchs.load_state_dict(ours.state_dict())
    images = channels_last(torch.randn(3, 256, size, size, device="cuda")).requires_grad_()
    weights = torch.randn_like(images)
    outputs = ours(images)
    assert uses_kernels(outputs)
    assert outputs.is_contiguous(memory_format=torch.channels_last)
    expected = pytorchs(images)
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)
    found = torch.autograd.grad(outputs, [images, *ours.parameters()], weights)
    wanted = torch.autograd.grad(expected, [images, *pytorchs.parameters()], weights)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))


@needs_gpu
def test_group_norm__under_autocast__stays_in_bfloat16() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 64, 3), GroupNorm(32, 64)).cuda().to(memory_format=torch.channels_last)
    images = torch.randn(4, 3, 32, 32, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        outputs = module(images)
        halfway = module[0](images)
    assert uses_kernels(outputs)
    assert outputs.dtype == torch.bfloat16
    expected = functional.group_norm(halfway.double(), 32, eps=EPSILON)
    torch.testing.assert_close(outputs.double(), expected, rtol=ROUNDED, atol=1e-5)
    gradients = torch.autograd.grad(outputs.float().square().sum(), list(module.parameters()))
    assert all(each.dtype == torch.float32 and bool(each.isfinite().all()) for each in gradients)


@needs_gpu
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_group_norm__without_gradients__gives_the_same_bits(mode: Callable[[], AbstractContextManager[None]]) -> None:
    module = GroupNorm(32, 64).cuda()
    images = torch.randn(4, 64, 8, 8, device="cuda")
    expected = module(images).detach()
    with mode():
        assert torch.equal(module(images), expected)


@needs_gpu
def test_group_norm__what_kernels_are_not_for__is_pytorchs_own() -> None:
    images = torch.randn(2, 64, 8, 8, device="cuda")
    assert uses_kernels(GroupNorm(32, 64).cuda()(images))
    for module, given in (
        (GroupNorm(32, 64), torch.randn(1, 64, 129, 64, device="cuda")),
        (GroupNorm(32, 64).double(), images.double()),
        (GroupNorm(32, 64), images.flatten(2)),
    ):
        outputs = module.cuda()(given)
        assert not uses_kernels(outputs)
        assert torch.equal(outputs, nn.GroupNorm.forward(module, given))


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resnet50__on_a_gpu__is_normalised_by_kernels_alone(precision: str) -> None:
    """Also a last batch of one image; `test_steps.py` records such steps and takes them again."""
    module = ModelSpec("resnet50", (3, 32, 32), 10).build(device="cuda").train()
    found = []
    for part in module.modules():
        if isinstance(part, nn.GroupNorm):
            part.register_forward_hook(lambda part, given, outputs: found.append(kind_of(given[0], outputs)))

    def kind_of(given: torch.Tensor, outputs: torch.Tensor) -> tuple[bool, bool, torch.dtype]:
        return uses_kernels(outputs), given.is_contiguous(memory_format=torch.channels_last), outputs.dtype

    steps = Steps(module, StationConfig(learning_rate=0.01, precision=precision))
    for count in (4, 1):
        images = torch.zeros(count, 3, 32, 32, dtype=torch.uint8, device="cuda")
        steps.take(Batch(images, torch.zeros(count, dtype=torch.int64, device="cuda")))
    assert found == [(True, True, getattr(torch, precision))] * 2 * 53
    assert bool(steps.total.isfinite())
