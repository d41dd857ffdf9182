"""A run's folder: what it holds, how it goes on, and folders that are refused."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fl.store.artefacts import ArtefactStore
from fl.store.files import Files
from fl.training.command.checkpoint import open_run
from fl.training.command.identity import differences
from fl.training.command.options import Options
from fl.training.command.run import run
from fl.training.data.dataset import Samples
from fl.training.errors import CheckpointError, DivergedError
from fl.training.federation import Federation
from fl.training.model.artefact import load_model, save_model
from fl.training.model.spec import _tensors_of
from fl.training.station import Station
from tests.fl.training.support import lines, train_in, undisturbed, without_numbers

CreateFederation = Callable[..., Federation]


@pytest.fixture
def federation(create_federation: CreateFederation) -> Federation:
    return create_federation(train_images=30, rounds=3, strategy="FedAvgM(momentum=0.5)")


# Whole runs


def test_run__finished__leaves_its_metrics_and_last_two_models(federation: Federation, tmp_path: Path) -> None:
    records = train_in(tmp_path, federation)
    assert lines(tmp_path) == records
    assert [record["global_round"] for record in records] == [0, 1, 2]
    models = {record["model"][2:] for record in records[1:]}
    stored = {path.name for path in (tmp_path / "models").iterdir()}
    assert models < stored and len(stored) == 4  # each with its momentum
    _, state = load_model(ArtefactStore(Files(tmp_path / "models")).get(records[-1]["model"]), federation.model)
    assert federation.evaluate(state).accuracy == records[-1]["accuracy"]


def test_run__started_again_when_finished__says_the_same_and_trains_nothing(
    federation: Federation, tmp_path: Path
) -> None:
    records = train_in(tmp_path, federation, keep_models=True)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "models").iterdir()}
    assert len(before) == 6
    trained: list[object] = []
    again = list(run(federation, Options(federation.config, tmp_path, keep_models=True), trained.append))
    assert (again, trained) == (records, [])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "models").iterdir()} == before


def test_run__prolonged__is_the_longer_run(create_federation: CreateFederation, tmp_path: Path) -> None:
    short, long = (create_federation(train_images=30, rounds=rounds) for rounds in (1, 3))
    train_in(tmp_path / "one", short)
    assert undisturbed(train_in(tmp_path / "one", long)) == undisturbed(train_in(tmp_path / "other", long))
    with pytest.raises(CheckpointError, match="holds 3 global rounds already, more than the 1 asked for"):
        train_in(tmp_path / "one", short)


# What is refused, and what is survived


@pytest.fixture
def folder(federation: Federation, tmp_path: Path) -> Path:
    """A finished run's."""
    train_in(tmp_path / "run", federation)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": 4}, "holds another run: .*seed is 0 there, 4 here"),
        ({"model": "cnn"}, "holds another run: model is small-cnn there, cnn here"),
        ({"local_epochs": 2}, "holds another run: station.local_epochs is 1 there, 2 here"),
        ({"alpha": 0.5}, "holds another run: alpha is None there, 0.5 here; data is"),
        ({"targets": ("0", "1")}, r"targets is \['0', '1', '7'\] there, \['0', '1'\] here"),
        ({"rounds": 2}, "holds 3 global rounds already, more than the 2 asked for"),
    ],
)
def test_open__folder_of_another_run__is_refused_and_left_alone(
    create_federation: CreateFederation, folder: Path, changes: dict[str, Any], text: str
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    other = create_federation(**{"train_images": 30, "rounds": 3, "strategy": "FedAvgM(momentum=0.5)", **changes})
    with pytest.raises(CheckpointError, match=text):
        train_in(folder, other)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_open__same_data_in_other_order_of_targets__is_the_same_run(
    create_federation: CreateFederation, folder: Path
) -> None:
    same = create_federation(train_images=30, rounds=3, strategy="FedAvgM(momentum=0.5)", targets=("7", "0", "1"))
    assert len(train_in(folder, same)) == 3


def test_open__folder_of_something_else__is_refused(federation: Federation, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").write_text("keep")
    with pytest.raises(CheckpointError, match="is not empty and holds no run: choose another folder"):
        train_in(tmp_path, federation)
    assert [path.name for path in tmp_path.rglob("*")] == ["models", "mine"]


def test_open__file_where_the_folder_should_be__is_refused(federation: Federation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file cannot be used as a folder"):
        train_in(tmp_path / "file", federation)


def test_open__while_another_process_trains__is_refused(federation: Federation, folder: Path) -> None:
    with (folder / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CheckpointError, match="another process trains in"):
            train_in(folder, federation)
    with open_run(folder, federation) as opened:
        assert opened.resumed is not None and opened.resumed.global_round == 2


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_open__last_model_corrupt__goes_on_from_the_one_before(
    federation: Federation, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = lines(folder)
    damage(folder / "models" / records[-1]["model"][2:])
    assert undisturbed(train_in(folder, federation)) == undisturbed(records)
    assert "global round 2 in" in caplog.text and "is corrupt" in caplog.text
    assert undisturbed(lines(folder)) == undisturbed(records)
    load_model(ArtefactStore(Files(folder / "models")).get(records[-1]["model"]))


def test_open__both_models_corrupt__says_so_and_leaves_them(federation: Federation, folder: Path) -> None:
    records = lines(folder)
    for record in records[1:]:
        damage(folder / "models" / record["model"][2:])
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read \(artefact 0x.* is corrupt"):
        train_in(folder, federation)
    assert lines(folder) == records


def test_open__model_of_another_architecture_under_its_name__is_refused(
    create_federation: CreateFederation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A checkpoint that was tampered with: its digest fits, the model does not."""
    federation = create_federation(train_images=30, rounds=2)
    train_in(tmp_path, federation)
    document = json.loads((tmp_path / "checkpoint.json").read_text())
    other = replace(federation.model, name="cnn")
    forged = ArtefactStore(Files(tmp_path / "models")).put(save_model(other, other.initial_state(0)))
    for entry in document["rounds"]:
        entry["model"] = forged
    document["rounds"] = document["rounds"][1:]
    (tmp_path / "checkpoint.json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="the artefact holds cnn of 3 classes for images 1×8×8, not small-cnn"):
        train_in(tmp_path, federation)


# What another process may have changed


def rebuilt(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A model whose source changes between two runs: its layers are what `LAYERS` says."""
    return Rebuilt(input_shape[1] * input_shape[2], classes)


class Rebuilt(nn.Module):
    hidden, activation = 12, staticmethod(torch.relu)

    def __init__(self, pixels: int, classes: int):
        super().__init__()
        self.first, self.last = nn.Linear(pixels, self.hidden), nn.Linear(self.hidden, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(type(self).activation(self.first(images.flatten(1))))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"activation": staticmethod(torch.tanh)}, "model.outputs is"),  # of the same tensors, in no layer
        ({"hidden": 13}, "model.layers is"),
        ({"extra_repr": lambda self: "p=0.5"}, "model.layers is"),
    ],
)
def test_open__model_whose_source_was_changed__is_refused_and_left_alone(
    create_federation: CreateFederation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    text: str,
) -> None:
    _tensors_of.cache_clear()
    federation = create_federation(train_images=30, rounds=3, model=f"{__name__}:rebuilt")
    records = train_in(tmp_path, federation)
    assert train_in(tmp_path, federation) == records
    for name, value in change.items():
        monkeypatch.setattr(Rebuilt, name, value)
    _tensors_of.cache_clear()  # as in another process
    with pytest.raises(CheckpointError, match=f"holds another run: .*{text}"):
        train_in(tmp_path, federation)
    assert lines(tmp_path) == records


def with_first_station(federation: Federation, **changes: object) -> Federation:
    first, *others = federation.stations
    return replace(federation, stations=(replace(first, **changes), *others))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda first: {"config": replace(first.config, learning_rate=0.5)},
            r"station.learning_rate is 0.05 there, \[0.5, 0.05, 0.05\] here",
        ),
        (lambda first: {"seed": 9}, r"station.seed is 0 there, \[9, 0, 0\] here"),
        (lambda first: {"clients": first.clients[::-1]}, "data is"),
        (lambda first: {"clients": join_and_cut(first.clients, 2)}, "data is"),
        (lambda first: {"clients": first.clients[:1]}, r"clients is 2 there, \[1, 2, 2\] here; data is"),
    ],
)
def test_open__other_settings_or_partition_of_one_station__is_refused(
    federation: Federation, folder: Path, change: Callable[[Station], dict[str, Any]], text: str
) -> None:
    other = with_first_station(federation, **change(federation.stations[0]))
    with pytest.raises(CheckpointError, match=f"holds another run: {text}"):
        train_in(folder, other)


def join_and_cut(clients: tuple[Samples, ...], first: int) -> tuple[Samples, ...]:
    """The same images, the first client with so many of them."""
    whole = Samples(*(torch.cat([getattr(each, name) for each in clients]) for name in ("inputs", "labels")))
    return whole.cut([first, len(whole) - first])


def test_differences__of_outputs__are_more_than_rounding() -> None:
    there = {"model.outputs": [0.1, -0.2, 0.0003]}
    assert differences(there, {"model.outputs": [0.1001, -0.2, 0.0002]}) == []
    assert differences(there, {"model.outputs": [0.11, -0.2, 0.0003]}) != []
    assert differences(there, {"model.outputs": [0.1, -0.2]}) != []


# What lies in a run's folder beside what it stored


def test_run__own_files_and_folders_in_models__are_left_alone(federation: Federation, tmp_path: Path) -> None:
    short = replace(federation, config=replace(federation.config, rounds=1))
    train_in(tmp_path, short)
    (tmp_path / "models" / "best" / "deep").mkdir(parents=True)
    (tmp_path / "models" / ".put-mine").mkdir()
    own = ArtefactStore(Files(tmp_path / "models")).put(b"own")
    (tmp_path / "models" / "notes.txt").write_text("own")
    records = train_in(tmp_path, federation)
    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names > {"best", ".put-mine", "notes.txt", own[2:]}
    assert len(names) == 8, "beside those two models and their momenta"
    assert (tmp_path / "models" / "best" / "deep").is_dir()
    assert records[0]["model"][2:] not in names


def test_run__resumed_without_keep_models__keeps_what_it_kept_and_goes_on_to(
    federation: Federation, tmp_path: Path
) -> None:
    short = replace(federation, config=replace(federation.config, rounds=2))
    train_in(tmp_path, short, keep_models=True)
    records = train_in(tmp_path, federation)
    assert {record["model"][2:] for record in records} < {path.name for path in (tmp_path / "models").iterdir()}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 3}', '{"format": 3, "run": {}, "rounds": [{"x": 1}]}'])
def test_open__checkpoint_that_is_none__says_what_to_do(federation: Federation, folder: Path, text: str) -> None:
    (folder / "checkpoint.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"checkpoint.json cannot be read \(.*\): move the folder away"):
        train_in(folder, federation)


def test_open__format_of_another_version__is_refused(federation: Federation, folder: Path) -> None:
    document = json.loads((folder / "checkpoint.json").read_text())
    before = [{"epoch": each.pop("global_round"), **each} for each in document["rounds"]]  # as format 1 had it
    (folder / "checkpoint.json").write_text(json.dumps({**document, "format": 1, "rounds": before}))
    with pytest.raises(CheckpointError, match="is of format 1, this program reads 3"):
        train_in(folder, federation)


def test_open__metrics_shorter_than_the_checkpoint_says__trains_what_is_missing(
    federation: Federation, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    records = lines(folder)
    with (folder / "metrics.jsonl").open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) - 5)
    assert undisturbed(train_in(folder, federation)) == undisturbed(records)
    assert "metrics.jsonl is shorter than it was" in caplog.text


def test_run__all_losses_are_no_numbers__keeps_the_last_good_checkpoint(federation: Federation, tmp_path: Path) -> None:
    records: list[Any] = []

    def spoil() -> Iterator[Any]:
        for record in run(federation, Options(federation.config, tmp_path)):
            records.append(record)
            if record["global_round"] == 1:
                object.__setattr__(federation, "stations", tuple(map(without_numbers, good)))
            yield record

    good = federation.stations
    with pytest.raises(DivergedError, match=r"no .* update left in global round 2; .*loss became nan"):
        list(spoil())
    assert lines(tmp_path) == records and len(records) == 2
    object.__setattr__(federation, "stations", good)
    assert train_in(tmp_path, federation)[:2] == records
