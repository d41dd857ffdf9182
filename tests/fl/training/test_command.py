"""`python -m fl.training`: usable alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fl.artefacts import ArtefactStore
from fl.training.__main__ import main, parse
from fl.training.config import DEFAULTS, StationConfig, TrainingConfig
from fl.training.state import load_metadata, load_model


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fl.training", *arguments])
    return main()


def test_parse__nothing__is_the_default_round() -> None:
    assert parse([]) == (TrainingConfig(station=StationConfig()), None)


def test_parse__data_set__brings_its_settings() -> None:
    config, _ = parse(["--dataset", "cifar10", "--local-epochs", "1", "--targets", "cat, dog"])
    assert config.targets == ("cat", "dog")
    assert config.station is not None
    assert config.station.batch_size == DEFAULTS["cifar10"].station.batch_size
    assert config.station.local_epochs == 1


def test_command__few_digits__shows_rounds_and_stores_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = (
        "--targets",
        "0,1",
        "--train-images",
        "80",
        "--rounds",
        "2",
        "--stations",
        "2",
        "--out",
        str(tmp_path),
    )
    assert run(monkeypatch, *arguments) == 0
    shown = capsys.readouterr().out
    assert "global round" in shown
    assert "contribution points" in shown
    stored = [ArtefactStore(tmp_path).get("0x" + path.name) for path in tmp_path.iterdir()]
    assert sorted(load_metadata(data)["epoch"] for data in stored) == [0, 1]
    assert all(load_model(data)[0].classes == 2 for data in stored)
    assert any("0x" + path.name in shown.replace("\n", "") for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("--targets", "0,ten"),
            "error: unknown target labels ten: choose from 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n",
        ),
        (("--rounds", "0"), "error: rounds must be at least 1, not 0\n"),
        (("--momentum", "1"), "error: momentum must be in [0, 1), not 1.0\n"),
    ],
)
def test_command__bad_input__ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == text


def test_command__folder_of_images__is_trained_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], create_folder: Callable[..., Path]
) -> None:
    folder = str(create_folder())
    small = ("--rounds", "1", "--stations", "2", "--clients", "1", "--model", "small-cnn")
    assert run(monkeypatch, "--dataset", "cifar10", "--data-dir", folder, *small) == 0
    assert "target labels cat, dog" in capsys.readouterr().out


def test_help__in_a_process_of_its_own__loads_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fl.training", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--local-epochs" in done.stdout
    assert not [line for line in done.stderr.splitlines() if line.endswith((" torch", " ape"))]
