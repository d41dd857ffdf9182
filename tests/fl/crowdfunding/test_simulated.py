"""The data of simulated members."""

import torch

from fl.crowdfunding.simulated import with_own_data
from fl.training.config import StationConfig, TrainingConfig
from fl.training.federation import build_federation


def test_own_data__of_each_owner__is_half_of_the_test_images_and_its_own() -> None:
    federation = build_federation(
        TrainingConfig(targets=("0", "1", "7"), train_images=120, stations=3, rounds=2, station=StationConfig(1, 1))
    )
    test = federation.dataset.test
    halves = [with_own_data(federation, owner).dataset.test for owner in (0, 1, 0)]
    assert {len(half) for half in halves} == {(len(test) + 1) // 2}
    assert torch.equal(halves[0].inputs, halves[2].inputs)
    assert not torch.equal(halves[0].inputs, halves[1].inputs)
    whole = {bytes(image.numpy().tobytes()) for image in test.inputs}
    assert all(bytes(image.numpy().tobytes()) in whole for half in halves for image in half.inputs)
