"""A module at a state: as `load_state_dict` puts it, and in one copy where that is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from fl.training.errors import ModelError
from fl.training.model.parameters import State, put_state
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import copy_state, equal


class Copies(TorchDispatchMode):
    """The operations that copy, and on how many tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "copy" in (name := function._schema.name):
            self.found.append((name, len(args[0])))
        return function(*args, **(kwargs or {}))


def small_cnn() -> nn.Module:
    return ModelSpec("small-cnn", (3, 8, 8), 10).build(seed=1)


def with_statistics() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(6, 2))


class Tied(nn.Module):
    """Two names of one tensor, and two tensors of one memory."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.third = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
        self.other.weight = self.one.weight
        self.third.bias = nn.Parameter(self.one.bias.data)


class Overlapping(nn.Module):
    """Tensors that share some of their numbers, or all in another order or type."""

    def __init__(self) -> None:
        super().__init__()
        row = torch.zeros(6)
        self.register_buffer("first", row[:2])
        self.register_buffer("every_other", row[:4:2])
        self.register_buffer("bits", row[4:].view(torch.int32))
        self.register_buffer("last", row[4:])
        self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
        self.other.weight = nn.Parameter(self.one.weight.data.t())


class Doubled(nn.Linear):
    """Loads twice what it is given."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        doubled = {name: 2 * tensor for name, tensor in state_dict.items()}
        super()._load_from_state_dict(doubled, prefix, *rest)


def hooked() -> nn.Module:
    def clear(part: nn.Module, keys: object) -> None:
        part.weight.data.zero_()

    module = nn.Sequential(nn.Linear(2, 2))
    module[0].register_load_state_dict_post_hook(clear)
    return module


def random_state(module: nn.Module) -> State:
    """Of another value for each name, whatever they share."""
    random = torch.Generator().manual_seed(0)
    return {
        name: torch.randint(-9, 9, tensor.shape, generator=random).to(tensor.dtype)
        for name, tensor in reversed(module.state_dict().items())
    }


@pytest.mark.parametrize("build", [small_cnn, with_statistics, Tied, Overlapping, lambda: Doubled(2, 3), hooked])
def test_put_state__any_module__is_what_loading_it_is(build: Callable[[], nn.Module]) -> None:
    module, expected = build(), build()
    for state in (random_state(module), {name: -tensor.double() for name, tensor in random_state(module).items()}):
        put_state(module, state)
        expected.load_state_dict(state)
        assert equal(copy_state(module), copy_state(expected))
        assert all(each.requires_grad and each.is_leaf for each in module.parameters())


@pytest.mark.parametrize(("build", "tensors"), [(small_cnn, 6), (Tied, 4)])
def test_put_state__plain_module__is_one_copy_to_each_tensor(build: Callable[[], nn.Module], tensors: int) -> None:
    """Two to one tensor, of different values, would be taken in any order by a GPU."""
    module = build()
    state = random_state(module)
    with Copies() as copies:
        put_state(module, state)
    assert copies.found == [("aten::_foreach_copy_", tensors)]


def test_put_state__tensors_that_overlap__are_copied_one_by_one() -> None:
    """In one launch a GPU would write what they share in any order."""
    module = Overlapping()
    state = random_state(module)
    with Copies() as copies:
        put_state(module, state)
    assert {name for name, _ in copies.found} == {"aten::copy_"}


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("0.bias"),
        lambda state: state.update({"more": torch.zeros(1)}),
        lambda state: state.update({"0.bias": torch.zeros(5)}),
        lambda state: state.update({"renamed": state.pop("0.bias")}),
    ],
    ids=["missing", "unexpected", "shape", "renamed"],
)
def test_put_state__of_another_model__says_what_differs(change: Callable[[State], object]) -> None:
    module = with_statistics()
    state = random_state(module)
    put_state(module, state)
    change(state)
    with pytest.raises(RuntimeError) as expected:
        with_statistics().load_state_dict(state)
    with pytest.raises(ModelError) as found:
        put_state(module, state)
    assert str(found.value) == f"these parameters are of another model: {expected.value}"
