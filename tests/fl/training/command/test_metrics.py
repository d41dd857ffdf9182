"""The metrics file's lines, and TensorBoard's files where it is installed."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.figures.hierarchy import DIRECT
from fl.training.command.metrics import Board, contributions_of, record_of, train_loss
from fl.training.command.options import Options
from fl.training.command.run import run
from fl.training.errors import CheckpointError
from fl.training.federation import Federation
from fl.training.network import Links
from fl.training.station import ClientWork, Outcome
from tests.fl.training.support import train


def test_record__of_a_round__says_all_of_it_in_json(create_federation: Callable[..., Federation]) -> None:
    federation = create_federation(clients=3, edge_aggregations=2, rounds=1)
    federation = replace(
        federation,
        stations=tuple(replace(s, config=replace(s.config, client_dropout=0.3)) for s in federation.stations),
    )
    (done,) = train(federation, present=lambda global_round, station: station != 2)
    links = Links(DIRECT, DIRECT, 0.5)
    record = json.loads(json.dumps(record_of(federation, done, "0xab", 1.23456, links)))
    assert (record["global_round"], record["model"], record["seconds"]) == (0, "0xab", 1.235)
    assert record["accuracy"] == done.evaluation.accuracy and record["loss"] == done.evaluation.loss
    assert record["clients"]["returned"] + record["clients"]["missing"] == 2 * 2 * 3
    assert record["clients"]["missing"] > 0 == record["clients"]["diverged"]
    assert record["absent"] == {"2": "it did not take part"}
    assert contributions_of(record) == done.contributions and record["evaluations"] == 2
    assert record["traffic"]["clients"]["up_messages"] == record["clients"]["returned"]
    assert record["simulated_seconds"] > 0
    assert "simulated_seconds" not in record_of(federation, done, "0xab", 1.0)


def test_train_loss__of_clients__is_weighted_by_images() -> None:
    work = [
        ClientWork(0, 10, 1, Outcome.RETURNED, 1.0),
        ClientWork(1, 30, 1, Outcome.RETURNED, 2.0),
        ClientWork(2, 99, 1, Outcome.MISSING),
    ]
    assert train_loss(work) == 1.75
    assert train_loss(work[2:]) is None


def test_board__of_a_run__holds_its_numbers(create_federation: Callable[..., Federation], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is optional and not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    federation = create_federation(train_images=30)
    records = list(run(federation, Options(federation.config, tensorboard=tmp_path, evaluate_clients=True)))
    events = EventAccumulator(str(tmp_path)).Reload()
    for name in ("accuracy", "loss", "train_loss"):
        assert [(event.step, event.value) for event in events.Scalars(name)] == [
            (record["global_round"], pytest.approx(record[name])) for record in records
        ]
    assert events.Scalars("bytes/cloud")[0].value > 0
    assert events.Scalars("label/7")[-1].value == pytest.approx(records[-1]["label_accuracy"]["7"])
    assert events.Scalars("station/2")[-1].value == pytest.approx(records[-1]["station_accuracy"]["2"])


def test_board__full_disk__is_one_line_and_no_thread_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is optional and not installed")
    from tensorboard.compat.tensorflow_stub.io import gfile

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = threading.excepthook
    board = Board(tmp_path)
    monkeypatch.setattr(gfile.LocalFileSystem, "append", full)
    with pytest.raises(CheckpointError, match="cannot be used: No space left on device"):
        for global_round in range(1000):
            board.add({"global_round": global_round, "accuracy": 0.5, "traffic": {}})
    with pytest.raises(CheckpointError, match="No space left on device"):
        board.close()
    assert "Traceback" not in capsys.readouterr().err and threading.excepthook is before
