"""Tests that need a GPU: `pytest -m gpu` names them all; elsewhere they are skipped, and say why."""

from typing import TypeVar

import pytest
import torch

T = TypeVar("T")


def needs_gpu(test: T) -> T:
    """Mark a test."""
    marked: T = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")(pytest.mark.gpu(test))
    return marked
