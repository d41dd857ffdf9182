"""Memory grows with the model and the data, not with the number of simulated clients."""

from __future__ import annotations

import sys

import pytest

from analysis.benchmarks.training.memory import measure, random_images, show


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_memory__ten_times_the_clients_with_equal_data__is_the_same_but_for_a_few_models() -> None:
    """If each of the 90 clients more kept a model, it would be 90 models more."""
    dataset = random_images(100)
    few, many = measure(dataset, 10, 2), measure(dataset, 100, 2)
    assert few.model > 8e6
    assert few.held > 3 * few.model  # the measurement sees the global model, the updates and the workspace
    assert many.held < few.held + 15 * few.model
    assert "one model per client" in "".join(str(column.header) for column in show([few, many]).columns)
