"""`plot` and `export`: what a run's folder becomes, and what ends them with one line."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from PIL import Image

from fl.store.artefacts import ArtefactStore
from fl.store.files import Files
from fl.training.command.main import main
from fl.training.command.results import compared, read_records
from fl.training.federation import Federation
from fl.training.model import spec
from fl.training.model.artefact import load_model
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import equal, train_in

PAGE = Path(__file__).parents[4] / "fl/training/README.md"


@pytest.fixture(scope="module")
def finished(create_federation: Callable[..., Federation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    train_in(folder, create_federation(targets=None, rounds=3), evaluate_clients=True)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "one"))


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["fl.training", *map(str, arguments)])
    return main()


def test_metrics__of_a_run__have_what_was_learnt_by_label_client_and_station(finished: Path) -> None:
    last = read_records(finished)[-1]
    assert list(last["label_accuracy"]) == list("0123456789")
    rows = last["confusion"]
    assert sum(map(sum, rows)) == 360
    assert last["accuracy"] == sum(rows[label][label] for label in range(10)) / 360
    assert last["label_accuracy"]["7"] == rows[7][7] / sum(rows[7])
    assert [len(last["client_accuracy"][index]) for index in "012"] == [2, 2, 2]
    for index in "012":  # as many images each, so plain means
        assert last["station_accuracy"][index] == pytest.approx(sum(last["client_accuracy"][index]) / 2)


def test_export__two_lines_of_the_page__load_the_runs_last_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    (lines,) = re.findall(r"```python\n([^`]*torch\.load[^`]*)```", PAGE.read_text(encoding="utf-8"))
    assert lines.count("\n") == 2
    monkeypatch.chdir(run.parent)
    assert command(monkeypatch, "export", run, "--out", "model.pt") == 0
    assert capsys.readouterr().out == "model.pt is written\n"
    known: dict[str, Any] = {"torch": torch, "small_cnn": spec.small_cnn}
    exec(lines, known)
    digest = read_records(run)[-1]["model"]
    _, state = load_model(ArtefactStore(Files(run / "models")).get(digest), ModelSpec("small-cnn", (1, 8, 8), 10))
    assert equal(known["module"].state_dict(), state)


def test_export__an_earlier_round__is_its_model(monkeypatch: pytest.MonkeyPatch, run: Path) -> None:
    assert command(monkeypatch, "export", run, "--out", run / "last.pt") == 0
    assert command(monkeypatch, "export", run, "--out", run / "before.pt", "--round", 1) == 0
    last, before = (torch.load(run / name) for name in ("last.pt", "before.pt"))
    assert last.keys() == before.keys() and not equal(last, before)


def test_export__best__is_the_model_of_the_best_accuracy_though_others_came_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    records = [dict(record) for record in read_records(run)]
    records[1]["accuracy"] = 1.0
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for name, which in (("best.pt", ("--best",)), ("before.pt", ("--round", 1)), ("last.pt", ())):
        assert command(monkeypatch, "export", run, "--out", run / name, *which) == 0
    best, before, last = (torch.load(run / name) for name in ("best.pt", "before.pt", "last.pt"))
    assert equal(best, before) and not equal(best, last)
    with pytest.raises(SystemExit):
        command(monkeypatch, "export", run, "--best", "--round", 1)
    assert "not allowed with argument" in capsys.readouterr().err


def test_plot__of_a_run__is_a_picture_beside_its_metrics(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    assert command(monkeypatch, "plot", run) == 0
    assert capsys.readouterr().out.replace("\n", "") == f"{run}/metrics.png is drawn"
    with Image.open(run / "metrics.png") as picture:
        assert picture.size[0] > picture.size[1] > 500


def test_plot__as_svg__has_a_panel_of_each_thing_known_with_its_numbers(
    monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    panels = {
        "label_accuracy": "by label, test samples",
        "confusion": "confusion after global round 2",
        "station_accuracy": "by base station, own samples",
        "client_accuracy": "own samples, global round 2",
    }

    def drawn() -> str:
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            assert command(monkeypatch, "plot", run, "--out", run / "all.svg") == 0
        return (run / "all.svg").read_text(encoding="utf-8")

    records = [dict(record) for record in read_records(run)]
    full = drawn()
    assert all(f"{title}<" in full for title in panels.values())
    assert all(f">{row[label]}<" in full for label, row in enumerate(records[-1]["confusion"]))
    assert ">−2<" not in full
    for record in records:
        del record["client_accuracy"], record["confusion"]
        record["loss"] = -2.0  # as of a density
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    few = drawn()
    assert [f"{title}<" in few for title in panels.values()] == [True, False, True, False]
    assert ">−2" in few


def test_plot__of_several_runs__is_their_accuracy_in_one_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    shorter = run.parent / "shorter"
    shorter.mkdir()
    records = read_records(run)
    (shorter / "metrics.jsonl").write_text(json.dumps({**records[0], "accuracy": 0.125}) + "\n")
    assert [record["runs"] for record in compared([run, shorter])] == [
        {str(run): records[0]["accuracy"], str(shorter): 0.125},
        *({str(run): record["accuracy"], str(shorter): None} for record in records[1:]),
    ]
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        assert command(monkeypatch, "plot", run, shorter, "--out", run.parent / "both.svg") == 0
    drawn = (run.parent / "both.svg").read_text(encoding="utf-8")
    assert all(f">{text}<" in drawn for text in (run, shorter, "global models, test samples"))
    with pytest.raises(SystemExit):
        command(monkeypatch, "plot", run, shorter)
    assert "several runs go with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("plot", "{}/none"), "{}/none holds no run: there is no metrics.jsonl in it"),
        (("export", "{}/none"), "{}/none holds no run: there is no metrics.jsonl in it"),
        (("plot", "{}/empty"), "{}/empty holds no finished global round yet"),
        (("plot", "{}/corrupt"), "{}/corrupt/metrics.jsonl is corrupt: Expecting value: line 1 column 1 (char 0)"),
        (("export", "{}/one", "--out", "{}/none/a.pt"), "{}/none/a.pt cannot be written: No such file or directory"),
        (("export", "{}/one", "--round", "7"), "{}/one has no global round 7: it has 0 … 2"),
        (
            ("export", "{}/one", "--round", "0"),
            "the model after global round 0 is not kept in {}/one: a run keeps the last two, with --patience the best "
            "too, with --keep-models all",
        ),
    ],
)
def test_command__bad_input__ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run: Path,
    arguments: tuple[str, ...],
    text: str,
) -> None:
    folder = run.parent
    for name, content in (("empty", ""), ("corrupt", "x\n")):
        (folder / name).mkdir()
        (folder / name / "metrics.jsonl").write_text(content)
    assert command(monkeypatch, *(each.format(folder) for each in arguments)) == 1
    assert capsys.readouterr().err == f"error: {text.format(folder)}\n"


def test_plot__of_an_unknown_kind_or_without_matplotlib__says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    assert command(monkeypatch, "plot", run, "--out", run / "a.foo") == 1
    assert "a.foo cannot be drawn: Format 'foo' is not supported" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert command(monkeypatch, "plot", run) == 1
    assert capsys.readouterr().err.startswith("error: matplotlib is not installed: install it")
