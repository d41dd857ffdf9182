"""What is prepared for a GPU: its commands are well formed, limited in time, and leave what they have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from analysis.benchmarks.training import device_step, gpu_day
from analysis.benchmarks.training.__main__ import main
from analysis.benchmarks.training.gpu_day import Step, fastest, play, steps, unpack
from analysis.benchmarks.training.lineup import CONTENDERS
from analysis.figures import accuracy_trainings
from fl.training.data.dataset import load_dataset
from fl.training.errors import DataError


def python(name: str, code: str, seconds: float = 60) -> Step:
    return Step(name, ("-c", code), seconds)


def run(*options: str) -> click.testing.Result:
    return CliRunner().invoke(main, options)


def write_images(folder: Path, labels: Sequence[str], count: int) -> Path:
    """So many images of random pixels for each label, to train on and to judge by."""
    random = torch.Generator().manual_seed(0)
    for part in ("train", "test"):
        for label in labels:
            (folder / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8, generator=random).numpy()
                Image.fromarray(pixels).save(folder / part / label / f"{number}.png")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images of two labels, eight for each part."""
    return write_images(tmp_path / "images", ("cat", "dog"), 4)


# ── the data ──


def test_subset__unpacked__has_the_pixels_and_labels_of_the_folder(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "part"  # of any name
    done = run("subset", "--data-dir", str(images), "--out", str(out), "--train-images", "6", "--test-images", "8")
    assert done.exit_code == 0, done.output
    found = load_dataset("cifar10", unpack(out.rename(tmp_path / "part.npz"), tmp_path / "again"))
    expected = load_dataset("cifar10", images, train_images=6)
    for mine, theirs in ((found.train, expected.train), (found.test, expected.test)):
        assert sorted(map(bytes_of, mine.inputs)) == sorted(map(bytes_of, theirs.inputs))
        assert dict(zip(map(bytes_of, mine.inputs), mine.labels.tolist(), strict=True)) == dict(
            zip(map(bytes_of, theirs.inputs), theirs.labels.tolist(), strict=True)
        )
    assert found.label_names == ("cat", "dog")


def bytes_of(image: torch.Tensor) -> bytes:
    return bytes(image.numpy().tobytes())


def test_unpack__archive_and_folder__are_the_folder(images: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "images-too"), "xztar", images.parent, images.name))
    assert len(load_dataset("cifar10", unpack(archive, tmp_path / "again")).train) == 8
    assert unpack(images, tmp_path / "unused") == images


@pytest.mark.parametrize("name", ["nonsense.npz", "nonsense.tar.xz", "nonsense"])
def test_unpack__nonsense__is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(DataError, match="is neither a folder of images"):
        unpack(tmp_path / name, tmp_path / "folder")


# ── the steps ──


def test_play__any_end__is_noted(tmp_path: Path) -> None:
    ended = play(python("good", "print('fine')"), left=60)
    assert (ended.status, ended.said) == (0, "fine")
    assert play(python("bad", "raise SystemExit(3)"), left=60).status == 3
    assert play(python("late", "print('never')"), left=0).said == "there was no time left"


def test_play__longer_than_there_is_time_left__is_ended() -> None:
    assert play(python("long", "import time; time.sleep(60)", 60), left=0.5).status is None


def test_play__longer_than_it_may__is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(4); pathlib.Path({str(mark)!r}).touch()"
    code = (
        "import subprocess, sys, time; print('began', flush=True); "
        f"subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    )
    began = time.monotonic()
    ended = play(python("long", code, 2), left=60)
    assert ended.status is None and "began" in ended.said
    assert time.monotonic() - began < 20
    time.sleep(max(0.0, 6 - (time.monotonic() - began)))
    assert not mark.exists(), "what it had started went on"


def test_gpu_day__step_that_fails__is_noted_and_the_next_one_runs(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after each step the file says how it ended."""
    out = tmp_path / "out"
    look = f"import json; print(len(json.load(open({str(out / 'gpu-day.json')!r}))['steps']))"
    given = [python("bad", "raise SystemExit(3)"), python("good", look)]
    monkeypatch.setattr(gpu_day, "steps", lambda *_: iter(given))
    done = run("gpu-day", "--data", str(images), "--out", str(out), "--device", "cpu")
    assert done.exit_code == 1
    document = json.loads((out / "gpu-day.json").read_text(encoding="utf-8"))
    assert [(step["name"], step["status"]) for step in document["steps"]] == [("bad", 3), ("good", 0)]
    assert document["steps"][1]["said"] == "1"
    assert images.exists(), "the folder that was given is left alone"


@pytest.mark.parametrize("name", ["images", "images-0"])
def test_gpu_day__images_in_its_own_folder__are_left_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_day, "steps", lambda *_: iter([python("good", "")]))
    images = write_images(tmp_path / "out" / name, ("cat", "dog"), 1)
    done = run("gpu-day", "--data", str(images), "--out", str(tmp_path / "out"), "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert len(list(images.rglob("*.png"))) == 4
    archive = shutil.make_archive(str(tmp_path / "archive"), "tar", images.parent, images.name)
    done = run("gpu-day", "--data", archive, "--out", str(tmp_path / "out"), "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {name, "gpu-day.json"}, "what it unpacked is gone"
    assert len(list(images.rglob("*.png"))) == 4


def test_gpu_day__step_that_is_none__is_refused(images: Path, tmp_path: Path) -> None:
    given = ("--data", str(images), "--out", str(tmp_path / "out"), "--device", "cpu", "--tiny")
    done = run("gpu-day", *given, "--step", "stream")
    assert done.exit_code == 1
    assert "there is no step stream: choose from bits, step-small-cnn, compare, paper-run, streams" in done.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["gpu-day", "streams"])
def test_command__for_a_gpu_that_is_not_there__says_what_to_do(command: str, images: Path, tmp_path: Path) -> None:
    data = "--data" if command == "gpu-day" else "--data-dir"
    out = tmp_path / "out"
    done = run(command, data, str(images), "--out", str(out), "--device", "cuda")
    assert (done.exit_code, done.output) == (
        1,
        "Error: device cuda is not there: torch finds 0 GPUs on this machine: choose cpu, or auto\n",
    )
    assert not out.exists()


def test_streams__on_a_cpu__are_only_tried_out(images: Path, tmp_path: Path) -> None:
    done = run("streams", "--data-dir", str(images), "--out", str(tmp_path / "out"), "--device", "cpu")
    assert done.exit_code == 1
    assert done.output == "Error: streams are of a GPU, and there is none here: --tiny tries the command out\n"


@pytest.mark.parametrize(
    "command", [("paper-run", "--device", "cpu"), ("streams", "--device", "cpu", "--tiny"), ("subset",)]
)
def test_command__file_that_cannot_be_written__is_one_line_before_any_work(
    command: Sequence[str], images: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = run(*command, "--data-dir", str(images), "--out", str(tmp_path / "file" / "x.json"))
    assert (done.exit_code, done.output) == (1, f"Error: {tmp_path / 'file'}: File exists\n")


def commands(out: Path, *, tiny: bool) -> list[Step]:
    return list(steps(out, out, "cuda", tiny))


@pytest.mark.parametrize("tiny", [False, True])
def test_steps__options__are_those_of_their_commands(tmp_path: Path, tiny: bool) -> None:
    """An option that is not there would be found only where the GPU is."""
    groups = {"analysis.benchmarks.training": main}
    alone = {"device_step": device_step.main, "accuracy_trainings": accuracy_trainings.main}
    parsed = []
    for step in commands(tmp_path, tiny=tiny):
        flag, module, *options = step.arguments
        assert flag == "-m"
        if module == "pytest":
            continue
        command: click.Command = alone.get(module.rpartition(".")[2]) or groups[module].commands[options.pop(0)]
        parsed.append(command.make_context(module, options).params["out"])
    assert len(parsed) == len(set(parsed)) == (6 if tiny else 8), "a file of its own for each"


REFUSE = """
import sys

import pytest

CHAIN = ("ape", "coincurve", "Crypto", "ecies", "eth", "ethpm", "pydantic", "web3")

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].partition("_")[0] in CHAIN:
            raise ModuleNotFoundError(f"{name} is not here", name=name)

sys.meta_path.insert(0, Refuse())
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_steps__tests_on_a_gpu__are_found_without_the_libraries_of_the_chain(tmp_path: Path) -> None:
    """The GPU's machine has PyTorch and what training needs, and no more."""
    arguments = next(steps(tmp_path, tmp_path, "cuda", False)).arguments[2:]
    expected = {path for path in arguments if path.startswith("tests/") and path.endswith(".py")}
    assert "tests/fl/training/model/test_steps.py" in expected
    done = subprocess.run(
        [sys.executable, "-c", REFUSE, *arguments, "--collect-only"],
        cwd=gpu_day.ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line} == expected


def test_steps__all_limits__fit_into_a_quarter_of_an_hour_but_for_what_is_worth_least(tmp_path: Path) -> None:
    names = [step.name for step in commands(tmp_path, tiny=False)]
    assert names[:5] == ["bits", "step-cnn", "step-resnet50", "compare", "paper-run"]
    assert sum(step.seconds for step in commands(tmp_path, tiny=False)[:5]) <= 14 * 60


def test_steps__after_what_was_found__go_on_with_the_fastest(tmp_path: Path) -> None:
    taken = {"CUDA graphs": [5.0], "CUDA graphs, tf32": [2.0, 9.0, 2.0], "CUDA graphs, bf16": [3.0], "stacked": [0.1]}
    write(tmp_path / "step-resnet50.json", taken)
    assert fastest(tmp_path / "step-resnet50.json") == "tf32"
    found = {step.name: step.arguments for step in commands(tmp_path, tiny=False)}
    assert "tf32" in found["paper-run"]
    chosen = [value for flag, value in pairwise(found["compare"]) if flag == "--contender"]
    assert set(chosen) <= set(CONTENDERS) and {"pfl", "flower", "plain"} < set(chosen)


def test_steps__nothing_found__take_the_engine_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "step-resnet50.json").write_text("{", encoding="utf-8")
    assert "float32" in {step.name: step.arguments for step in commands(tmp_path, tiny=False)}["paper-run"]


def write(path: Path, seconds: dict[str, Sequence[float]]) -> None:
    path.write_text(json.dumps({"seconds": seconds}), encoding="utf-8")


@pytest.mark.heavy
def test_gpu_day__tiny_on_a_cpu__runs_all_of_it(tmp_path: Path) -> None:
    labels = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    images = write_images(tmp_path / "images", labels, 12)
    out = tmp_path / "out"
    run("gpu-day", "--tiny", "--device", "cpu", "--data", str(images), "--out", str(out))
    document = json.loads((out / "gpu-day.json").read_text(encoding="utf-8"))
    ended = {step["name"]: step["status"] for step in document["steps"]}
    assert ended.pop("compiled-small-cnn") in (0, None), "a compiler may take its time"
    assert set(ended.values()) == {0}, document["steps"]
    assert {path.name for path in out.iterdir()} >= {
        "step-small-cnn.json",
        "compare.json",
        "paper-run.json",
        "streams.json",
        "figure.json",
    }
