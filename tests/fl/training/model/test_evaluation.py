"""Judging a model: what its labels are taken for, and how it does on each client's images."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from fl.training.config import TrainingConfig
from fl.training.crews.crew import InProcess
from fl.training.crews.pool import Pool
from fl.training.crews.spread import Spread
from fl.training.data.dataset import Dataset, Samples
from fl.training.federation import Federation, build_federation
from fl.training.model.evaluation import BATCH, Evaluation, evaluate
from tests.fl.training.ranks import in_ranks
from tests.fl.training.support import without_numbers


class Told(nn.Module):
    """Whose output is highest for the label that the first pixel names."""

    def __init__(self, labels: int = 3):
        super().__init__()
        self.labels = labels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        named = ((images[:, 0, 0, 0] + 1) * 127.5).round().long()
        return nn.functional.one_hot(named, self.labels).float()


def told(pairs: list[tuple[int, int]], labels: int = 3) -> Evaluation:
    """Judged on one image for each pair of its label and what the model takes it for."""
    images = torch.tensor([found for _, found in pairs], dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return evaluate(Told(labels), {}, Samples(images, torch.tensor([label for label, _ in pairs])))


def test_evaluate__labels_taken_for_others__are_counted_by_row_and_column() -> None:
    found = told([(0, 0), (0, 0), (0, 2), (2, 1)])
    assert found.confusion == ((2, 0, 1), (0, 0, 0), (0, 1, 0))
    assert found.label_accuracies == (pytest.approx(2 / 3), None, 0.0)
    assert (found.correct, found.samples) == (2, 4)


def test_evaluate__more_images_than_a_batch__are_all_in_the_confusion_matrix() -> None:
    assert told([(1, 2)] * BATCH + [(1, 1)]).confusion == ((0, 0, 0), (0, 1, BATCH), (0, 0, 0))


def test_evaluate__a_vocabulary_of_labels__is_counted_by_label_in_little_memory() -> None:
    tracemalloc.start()
    try:
        found = told([(0, 0), (0, 2), (2, 2)], labels=3_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.label_accuracies[:4] == (0.5, None, 1.0, None) and len(found.label_accuracies) == 3_000
    assert found.confusion == ()
    assert peak < 2**22  # a confusion matrix would have 72 MB


@pytest.fixture
def uneven(digits: Dataset) -> Federation:
    return build_federation(TrainingConfig(train_images=200, stations=3, clients=3, alpha=0.5), digits)


def test_evaluate_clients__of_each_crew__is_the_model_judged_on_their_own_images(uneven: Federation) -> None:
    state = uneven.stations[1].train_round(uneven.initial_state(), 0).state
    expected = {
        each.index: [evaluate(uneven.workspace(), state, own).correct for own in each.clients]
        for each in uneven.stations
    }
    assert len({count for counts in expected.values() for count in counts}) > 3  # or a mix-up would not show
    assert InProcess(uneven).evaluate_clients(state) == expected
    with Pool(uneven, 2) as crew:
        assert crew.evaluate_clients(state) == expected
    ranks = in_ranks(2, lambda group: Spread(uneven, group, InProcess(uneven)).evaluate_clients(state))
    assert ranks == [expected] * 2


def test_evaluate_clients__images_that_are_no_numbers__are_wrong_and_end_nothing(
    create_federation: Callable[..., Federation],
) -> None:
    federation = create_federation()
    sick = replace(federation, stations=(without_numbers(federation.stations[0], (1,)), *federation.stations[1:]))
    counts = InProcess(sick).evaluate_clients(sick.initial_state())
    healthy = InProcess(federation).evaluate_clients(federation.initial_state())
    assert counts[0][0] == healthy[0][0] and counts[1] == healthy[1]
