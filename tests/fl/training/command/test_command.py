"""`python -m fl.training`: usable alone."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import fl.training
from fl.store.artefacts import ArtefactStore
from fl.store.files import Files
from fl.training.command.main import main
from fl.training.command.options import Options, parse
from fl.training.config import DEFAULTS, Rule, StationConfig, TrainingConfig
from fl.training.errors import TrainingError
from fl.training.model.artefact import load_metadata, load_model


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fl.training", *arguments])
    return main()


def test_parse__nothing__is_the_default_round() -> None:
    assert parse([]) == Options(TrainingConfig(station=StationConfig()))


def test_parse__data_set__brings_its_settings() -> None:
    config = parse(["--dataset", "cifar10", "--local-epochs", "1", "--targets", "cat, dog"]).config
    assert config.targets == ("cat", "dog")
    assert config.station is not None
    assert config.station.batch_size == DEFAULTS["cifar10"].station.batch_size
    assert config.station.local_epochs == 1


def test_parse__every_setting__can_be_given() -> None:
    """A setting of the configurations that the command line cannot name is found here."""
    for configuration, example in ((StationConfig, StationConfig()), (TrainingConfig, TrainingConfig())):
        for setting in fields(configuration):
            # those that have tests of their own: test_privacy.py, test_own_data.py
            if setting.name in ("rule", "station", "privacy", "per_station"):
                continue
            value = {
                "dataset": "cifar10",
                "model": "cnn",
                "contribution": "shapley",
                "precision": "bfloat16",
                "targets": ("a", "b"),
                **dict.fromkeys(
                    ("partition", "transform", "optimizer", "schedule", "loss", "metric", "strategy"), "a.b:c"
                ),
            }.get(setting.name, {"client_fraction": 0.5, "alpha": 2.0}.get(setting.name))
            value = value or (True if "bool" in str(setting.type) else 0.25 if "float" in str(setting.type) else 9)
            if setting.name in ("data_dir", "device"):
                value = Path("x") if setting.name == "data_dir" else "cuda"
            flag = "--" + setting.name.replace("_", "-")
            flags = [flag, "--stragglers=0.5"] if setting.name == "drop_stragglers" else [flag]
            text = [] if value is True else [",".join(value) if isinstance(value, tuple) else str(value)]
            config = parse([*flags, *text]).config
            holder = config.station if isinstance(example, StationConfig) else config
            assert getattr(holder, setting.name) == value != getattr(example, setting.name)


def test_parse__every_output__can_be_given() -> None:
    links = ("--client-link", "1,2", "--cloud-link", "3,4")
    given = {
        "out": (("--out", "a"), Path("a")),
        "keep_models": (("--keep-models", "--out", "a"), True),
        "evaluate_clients": (("--evaluate-clients", "--out", "a"), True),
        "tensorboard": (("--tensorboard", "b"), Path("b")),
        "client_link": (links, (1.0, 2.0)),
        "cloud_link": (links, (3.0, 4.0)),
        "seconds_per_image": ((*links, "--seconds-per-image", "0.5"), 0.5),
        "links": ((*links, "--links", "c"), Path("c")),
        "workers": (("--workers", "0"), 0),
    }
    assert {option.name for option in fields(Options)} == {"config", *given}
    for name, (arguments, value) in given.items():
        assert getattr(parse(list(arguments)), name) == value != getattr(parse([]), name)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--client-link", "1,1"), "--client-link goes with --cloud-link"),
        (("--cloud-link", "1,1"), "--cloud-link goes with --client-link"),
        (("--seconds-per-image", "0"), "--seconds-per-image goes with --client-link and --cloud-link"),
        (("--noise-multiplier", "0"), "--noise-multiplier goes with --clipping-norm"),
        (("--drop-stragglers",), "--drop-stragglers goes with --stragglers"),
        (("--keep-models",), "--keep-models goes with --out"),
        (("--evaluate-clients",), "--evaluate-clients goes with --out or --tensorboard, where what it finds"),
        (("--targets", "3\n5"), r"argument --targets: '3\n5' is no line of labels: new-line character"),
        (("--momentum", "0", "--optimizer", "Adam"), "--momentum is of plain SGD: give it to the optimizer, as in"),
    ],
)
def test_parse__option_that_says_nothing_alone__names_the_other_in_two_lines(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(list(arguments))
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == "usage: python -m fl.training [option …] | plot RUN … | export RUN" and text in error


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"client_link": (1.0, 1.0)}, "client_link goes with cloud_link"),
        ({"cloud_link": (1.0, 1.0)}, "cloud_link goes with client_link"),
        ({"seconds_per_image": 0.0}, "seconds_per_image goes with client_link and cloud_link"),
        ({"links": Path("links.csv")}, "links goes with client_link and cloud_link"),
        ({"keep_models": True}, "keep_models goes with out"),
    ],
)
def test_options__from_python_one_that_says_nothing_alone__is_refused_too(given: dict[str, Any], text: str) -> None:
    with pytest.raises(TrainingError, match=f"^{text}$"):
        Options(TrainingConfig(), **given)


def test_options__paths_as_text__mean_the_same() -> None:
    found = Options(TrainingConfig(), **{name: name for name in ("out", "tensorboard")})
    assert found == Options(TrainingConfig(), out=Path("out"), tensorboard=Path("tensorboard"))


def test_parse__rules__are_those_of_base_stations_and_of_the_cloud() -> None:
    config = parse(["--edge-rule", "median", "--global-rule", "multi-krum", "--global-tolerate", "2"]).config
    assert config.station is not None
    assert (config.station.rule, config.rule) == (Rule("median"), Rule("multi-krum", 2))


SMALL = ("--targets", "0,1", "--train-images", "80", "--rounds", "2", "--stations", "2")


def test_command__few_digits__shows_rounds_and_stores_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, *SMALL, "--out", str(tmp_path), "--keep-models") == 0
    shown = capsys.readouterr().out
    assert "global round" in shown
    assert "contribution points" in shown
    names = [path.name for path in (tmp_path / "models").iterdir()]
    stored = [ArtefactStore(Files(tmp_path / "models")).get("0x" + name) for name in names]
    assert sorted(load_metadata(data)["global_round"] for data in stored) == [0, 1]
    assert all(load_model(data)[0].classes == 2 for data in stored)
    assert any("0x" + name in shown.replace("\n", "") for name in names)


def test_command__links_given__shows_simulated_time_and_a_missing_station(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    links = ("--client-link", "10,5", "--cloud-link", "100,20", "--seconds-per-image", "0.001")
    assert run(monkeypatch, *SMALL, "--station-dropout", "0.6", *links) == 0
    shown, warned = capsys.readouterr()
    assert "simulated s" in shown
    assert "no update of base station 1: it did not take part" in " ".join(warned.split())


def test_command__tensorboard_not_installed__says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    assert run(monkeypatch, *SMALL, "--tensorboard", str(tmp_path)) == 1
    assert capsys.readouterr().err.startswith("error: TensorBoard is not installed: install it")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("--targets", "0,ten"),
            "error: unknown target labels ten: choose from 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n",
        ),
        (("--rounds", "0"), "error: rounds must be at least 1, not 0\n"),
        (("--momentum", "1"), "error: momentum must be in [0, 1), not 1.0\n"),
        (("--edge-tolerate", "1"), "error: the mean takes no number of wrong models to tolerate\n"),
        (
            ("--global-rule", "multi-krum", "--global-tolerate", "1"),
            "error: multi-krum tolerating 1 needs at least 5 models; there are 4 base stations\n",
        ),
        (("--device", "tpu"), "error: unknown device 'tpu': choose cpu, cuda, cuda:<number> or auto\n"),
        (
            ("--shards", "400"),
            "error: 1437 training samples cannot be cut into 400 shards for each of 8 clients: some would be empty\n",
        ),
        (("--client-link", "0,5", "--cloud-link", "1,1"), "error: a link's bandwidth must be positive, not 0.0\n"),
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


def test_command__labels_with_commas_and_brackets__are_targeted_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], create_folder: Callable[..., Path]
) -> None:
    folder = str(create_folder(("red, round", "[bold]blue", "green")))
    small = ("--rounds", "1", "--stations", "2", "--clients", "1", "--model", "small-cnn", "--data-dir", folder)
    targets = ("--dataset", "cifar10", "--targets", '"red, round", [bold]blue')
    assert run(monkeypatch, *targets, *small) == 0
    assert 'target labels [bold]blue, "red, round"; last' in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("seconds", "said"), [(1.0, ""), (18_000.0, "about 5.0 hours: --contribution margin takes 2")])
def test_command__long_measuring__is_said_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, said: str
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("fl.training.command.run.perf_counter", lambda: next(clock) * seconds / 6)
    assert run(monkeypatch, *SMALL, "--contribution", "shapley") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert ("contributions (shapley) take up to 6 evaluations on 72 test samples" in shown) == bool(said)
    assert said in shown and "6/6 evaluations" in shown


PAGES = sorted(Path(fl.training.__file__).parent.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages__each_command__can_be_given(page: Path) -> None:
    """Of plot and export, test_results.py runs those on the page."""
    text = re.sub(r"\\\n\s*|\n(?=--)", " ", page.read_text(encoding="utf-8"))
    for command in re.findall(r"-m fl\.training( --[^`#\n]*)", text):
        if "--help" not in command and "--graphs" not in command:
            parse(shlex.split(command))


def test_readme__its_python__runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    (page,) = (page for page in PAGES if page.name == "README.md")
    code, _ = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, {})
    assert len(capsys.readouterr().out.splitlines()) == TrainingConfig().rounds


def test_help__in_a_process_of_its_own__loads_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fl.training", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--local-epochs" in done.stdout
    assert not [line for line in done.stderr.splitlines() if line.endswith((" torch", " ape"))]
