"""The comparison of hierarchical with flat averaging."""

from __future__ import annotations

import pytest

from analysis.figures.hierarchy import Schedule, play, schedules, show
from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.dataset import load_dataset
from fl.training.network import Link, Links

CONFIG = TrainingConfig(
    targets=("0", "1"), train_images=80, stations=2, clients=2, station=StationConfig(learning_rate=0.05)
)
LINKS = Links(Link(1e6, 0.01), Link(2e6, 0.1), seconds_per_image=0.001)


@pytest.mark.parametrize("epochs", [1, 4, 6, 8])
def test_schedules__any_epochs__give_each_client_as_many(epochs: int) -> None:
    found = list(schedules(epochs))
    assert all(each.local_epochs * (each.edge_aggregations or 1) * each.rounds == epochs for each in found)
    assert len(set(found)) == len(found)


def test_play__flat_and_hierarchical__take_the_time_and_traffic_of_the_formulas() -> None:
    dataset = load_dataset("digits")
    flat, tiered = (play(each, CONFIG, LINKS, dataset) for each in (Schedule(1, None, 2), Schedule(1, 2, 1)))
    size = flat.client_bytes // (2 * 2 * 4)  # two rounds, down and up, four clients
    # 20 images a client, 1 ms each; a flat client's path is as slow as its slower part, and both latencies long
    assert flat.seconds[-1] == pytest.approx(2 * (2 * (0.11 + 8 * size / 1e6) + 0.02))
    assert tiered.seconds[-1] == pytest.approx(2 * (0.1 + 8 * size / 2e6) + 2 * (2 * (0.01 + 8 * size / 1e6) + 0.02))
    assert flat.cloud_bytes == flat.client_bytes == tiered.client_bytes
    assert tiered.cloud_bytes == 2 * 2 * size
    assert show([flat, tiered], 0.9).row_count == 2
    assert tiered.seconds_to(2.0) is None
