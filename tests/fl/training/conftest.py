"""Small federations and folders of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.dataset import Dataset, load_dataset
from fl.training.federation import Federation, build_federation

# As in the tests' own conftest.py, which is left out where there is no ape (`--confcutdir=tests/fl/training`).
settings.register_profile("hcfl", deadline=None)
settings.load_profile("hcfl")

CreateFederation = Callable[..., Federation]
CreateFolder = Callable[..., Path]


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def create_federation(digits: Dataset) -> CreateFederation:
    """A federation on few digits, trained in no time; keyword arguments as in the configurations."""

    def create(
        *, local_epochs: int = 1, edge_aggregations: int = 1, learning_rate: float = 0.05, **given: Any
    ) -> Federation:
        station = StationConfig(local_epochs, edge_aggregations, learning_rate=learning_rate)
        settings: dict[str, Any] = {
            "targets": ("0", "1", "7"),
            "train_images": 120,
            "stations": 3,
            "rounds": 2,
        }
        return build_federation(TrainingConfig(**{**settings, "station": station, **given}), digits)

    return create


@pytest.fixture
def create_folder(tmp_path: Path) -> CreateFolder:
    """A folder of random images in ImageFolder's layout."""

    def create(
        labels: tuple[str, ...] = ("cat", "dog"), parts: tuple[str, ...] = ("train", "test"), size: int = 8
    ) -> Path:
        random = np.random.default_rng(0)
        for part in parts:
            for label in labels:
                (tmp_path / part / label).mkdir(parents=True)
                for number in range(4):
                    pixels = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(tmp_path / part / label / f"{number}.png")
        return tmp_path

    return create
