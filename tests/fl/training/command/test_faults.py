"""What users and their machines get wrong ends the command with one line: no traceback, and no wait without an end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from fl.training.command.main import main
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.data.dataset import Dataset, labels_of, load_dataset
from fl.training.errors import CheckpointError, DataError, ModelError, TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.spec import ModelSpec
from tests.fl.training.few_images import FEW_IMAGES
from tests.fl.training.support import lines, train_in, undisturbed
from tests.support.disk import no_room_beyond

CreateFederation = Callable[..., Federation]
CreateFolder = Callable[..., Path]

SMALL = ("--targets", "0,1", "--train-images", "40", "--stations", "2", "--clients", "1", "--contribution", "none")
ON_IMAGES = (
    *("--dataset", "cifar10", "--model", "small-cnn"),
    *("--rounds", "1", "--stations", "2", "--clients", "1", "--contribution", "none"),
)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fl.training", *arguments])
    return main()


def in_own_process(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fl.training", *arguments],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
    )


# A run's folder


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_run__disk_full__says_so_and_goes_on_once_there_is_room(
    create_federation: CreateFederation, tmp_path: Path, size: int
) -> None:
    """At the lock and the checkpoint, the metrics and the model."""
    federation = create_federation(train_images=30, rounds=2)
    with no_room_beyond(size), pytest.raises(CheckpointError, match=f"{tmp_path}/run cannot be used: File too large"):
        train_in(tmp_path / "run", federation)
    assert undisturbed(train_in(tmp_path / "run", federation)) == undisturbed(train_in(tmp_path / "other", federation))


def test_command__disk_full__ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with no_room_beyond(5000):
        assert run(monkeypatch, *SMALL, "--rounds", "1", "--out", str(tmp_path / "run")) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/run cannot be used: File too large\n"


def test_command__gpu_memory_full__ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def descend(*_: object) -> None:
        raise error

    monkeypatch.setattr("fl.training.model.steps.descend", descend)
    error: RuntimeError = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation")
    assert run(monkeypatch, *SMALL, "--rounds", "1", "--workers", "0") == 1
    advice = "fewer --workers or a smaller --batch-size need less"
    assert capsys.readouterr().err == f"error: the GPU has not enough memory: {advice}\n"
    error = RuntimeError("of ours")
    with pytest.raises(RuntimeError, match="of ours"):
        run(monkeypatch, *SMALL, "--rounds", "1", "--workers", "0")


def test_command__output_that_nobody_can_write__ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        process = in_own_process("--help", stdout=full)
        errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode in (0, 1)  # argparse itself hides what it cannot write
    assert "Exception" not in errors and "Traceback" not in errors
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", TextIOWrapper(Unclosed(full), write_through=True))
        assert run(monkeypatch, *SMALL, "--rounds", "1") == 1
    assert capsys.readouterr().err == "error: No space left on device\n"


class Unclosed(RawIOBase):
    """Writes to a file that it never closes, so that nothing is left to flush."""

    def __init__(self, file: RawIOBase):
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        return self._file.write(data)


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a user without root's rights may use, and this process as that user."""
    folder = Path(tempfile.mkdtemp(prefix="hcfl-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    os.seteuid(os.getuid())
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o777)
    shutil.rmtree(folder)


def become_ordinary() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


@pytest.mark.parametrize("names", [("lock",), ("checkpoint.json",), ("metrics.jsonl",), ("models",), (".",), ()])
def test_run__file_or_folder_without_permission__says_which_folder(
    create_federation: CreateFederation, ordinary: Path, names: tuple[str, ...]
) -> None:
    federation = create_federation(train_images=30, rounds=3, contribution="none")
    become_ordinary()
    folder = ordinary / "run"
    train_in(folder, create_federation(train_images=30, rounds=1, contribution="none"))
    for name in names:
        (folder / name).chmod(0o000 if name != "." else 0o555)
    records = train_in(folder, federation) if not names else lines(folder) if names == (".",) else []
    if names:
        with pytest.raises(CheckpointError, match=rf"{folder} cannot be used.*: Permission denied$"):
            train_in(folder, federation)
    else:
        assert len(records) == 3, "with permission: the other cases fail for the lack of it"


# Images


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(data) if length is None else length)
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(width: int, height: int, data: bytes, length: int | None = None) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data), length) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (png(8, 8, bytes(72), length=5), "broken PNG file"),
        (png(8, 8, bytes(72))[:40], ""),
        (png(20_000, 20_000, bytes(100)), "400000000 pixels"),
        (b"", "cannot identify image file"),
    ],
    ids=["a chunk too short", "cut off", "20,000² pixels", "empty"],
)
def test_command__image_that_is_none__ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    create_folder: CreateFolder,
    data: bytes,
    text: str,
) -> None:
    folder = create_folder()
    (folder / "train" / "dog" / "0.png").write_bytes(data)
    assert run(monkeypatch, *ON_IMAGES, "--data-dir", str(folder)) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(rf"error: not an image that can be read: {folder}/train/dog/0.png \(.*{text}.*\)\n", said)


def test_load__pipe_among_the_images__is_refused_at_once(create_folder: CreateFolder) -> None:
    folder = create_folder()
    os.mkfifo(folder / "train" / "dog" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is no file"):
        load_dataset("cifar10", folder)


def test_command__folder_whose_name_is_no_utf_8__says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], create_folder: CreateFolder
) -> None:
    folder = create_folder()
    for part in ("train", "test"):
        (folder / part / "dog").rename(folder / part / os.fsdecode(b"caf\xe9"))
    assert run(monkeypatch, *ON_IMAGES, "--data-dir", str(folder)) == 1
    said = capsys.readouterr().err
    assert said == f"error: a folder in {folder}/train has a name that is no UTF-8, b'caf\\xe9': rename it\n"


@pytest.mark.parametrize("closed", ["train", "train/dog", "train/dog/more", "train/dog/0.png"])
def test_load__folder_or_image_without_permission__says_which(ordinary: Path, closed: str) -> None:
    for label in ("cat", "dog"):
        for part in ("train", "test"):
            (ordinary / part / label / "more").mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(ordinary / part / label / "0.png")
    assert len(load_dataset("cifar10", ordinary).train) == 2
    (ordinary / closed).chmod(0)
    become_ordinary()
    with pytest.raises(DataError, match=f"{ordinary / closed}.*: Permission denied"):
        load_dataset("cifar10", ordinary)


# Models of one's own


class Refuses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise AssertionError("not today")


def lazy(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))


def lazily_normalised(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes), nn.LazyBatchNorm1d())


def broken(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    raise KeyError("width")


def refusing(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return Refuses()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (f"{__name__}:lazy", r"has a lazy layer, of no size yet \(1.weight\): give it its sizes"),
        (f"{__name__}:lazily_normalised", r"has a lazy layer, of no size yet \(2.weight\)"),
        (f"{__name__}:broken", "cannot be built for images .* and 10 classes: KeyError: 'width'"),
        (f"{__name__}:refusing", "does not take images .*: AssertionError: not today"),
        ("fails_at_import:model", r"cannot be imported \(ZeroDivisionError: division by zero\)"),
        ("ends_at_import:model", r"cannot be imported \(SystemExit: 3\)"),
        ("no_python:model", r"cannot be imported \(SyntaxError: "),
    ],
)
def test_build__factory_that_fails__says_how(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (tmp_path / "fails_at_import.py").write_text("1 / 0")
    (tmp_path / "ends_at_import.py").write_text("raise SystemExit(3)")
    (tmp_path / "no_python.py").write_text("def (")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=text):
        build_federation(TrainingConfig(model=name), digits)
    with pytest.raises(ModelError, match=text):
        ModelSpec(name, (1, 8, 8), 10).check()


# Settings


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--local-epochs", str(10**30)), f"local_epochs must be at most 2,147,483,647, not {10**30}"),
        (("--batch-size", str(10**30)), f"batch_size must be at most 2,147,483,647, not {10**30}"),
        (("--rounds", str(10**30)), f"rounds must be at most 2,147,483,647, not {10**30}"),
        (("--threads", str(10**5)), f"threads must be at most 1,024, not {10**5}"),
        (
            ("--stations", str(10**9)),
            f"1437 training samples cannot be split over {2 * 10**9} clients: some would have none",
        ),
        (("--proximal", "1e300"), "proximal must be in [0, 1e+38], not 1e+300"),
    ],
)
def test_command__numbers_beyond_all_bounds__ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == f"error: {text}\n"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: TrainingConfig(rule="median"), r"rule must be a Rule, such as Rule\('median'\), not 'median'"),
        (lambda: StationConfig(rule="median"), "rule must be a Rule"),
        (lambda: StationConfig(local_epochs=2.5), "local_epochs must be a whole number, not 2.5"),
        (lambda: StationConfig(graphs=1), "graphs must be True or False, not 1"),
        (lambda: StationConfig(learning_rate="0.1"), "learning_rate must be a number, not '0.1'"),
        (lambda: StationConfig(batch_size=True), "batch_size must be a whole number, not True"),
        (lambda: TrainingConfig(stations="4"), "stations must be a whole number, not '4'"),
        (lambda: TrainingConfig(targets="cat"), "targets must be a tuple of labels, not 'cat'"),
        (lambda: TrainingConfig(targets=(1, 2)), "a target label must be text, not 1"),
        (lambda: TrainingConfig(per_station={"1": StationConfig()}), "names base station '1'; there are 0 … 3"),
        (lambda: TrainingConfig(station={}), "station must be a StationConfig, not {}"),
        (lambda: TrainingConfig(model=nn.Linear), "model must be text, not <class"),
        (lambda: TrainingConfig(data_dir=3), "data_dir must be a path, not 3"),
        (lambda: Rule("trimmed-mean", "1"), "tolerate must be a whole number, not '1'"),
    ],
)
def test_config__setting_of_another_kind__says_what_it_must_be(make: Callable[[], object], text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        make()


def test_config__what_means_the_same__is_taken_as_such(create_folder: CreateFolder) -> None:
    folder = create_folder()
    config = TrainingConfig(dataset="cifar10", data_dir=str(folder), targets=["dog", "cat"])  # type: ignore[arg-type]
    assert (config.data_dir, config.targets) == (folder, ("dog", "cat"))
    assert load_dataset("cifar10", str(folder)).label_names == labels_of("cifar10", str(folder)) == ("cat", "dog")


# Terminals and signals


def test_command__on_a_terminal_of_ascii__shows_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    process = in_own_process("--help", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    shown, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert b"global round" in shown and b"\\u03ba1, local epochs" in shown
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="ascii", write_through=True))
    assert run(monkeypatch, *SMALL, "--rounds", "1") == 0
    assert b"global round" in written.getvalue()


ENDLESS = (*FEW_IMAGES, "--stations", "2", "--rounds", "1000000", "--workers", "2")


def started(folder: Path) -> subprocess.Popen[bytes]:
    process = in_own_process(*ENDLESS, "--out", str(folder), start_new_session=True)
    metrics = folder / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGINT, signal.SIGTERM), (signal.SIGINT,) * 5])
def test_command__stopped_by_signals__says_how_to_go_on_and_leaves_nobody(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    process = started(tmp_path / "run")
    for place, number in enumerate(signals):
        if process.poll() is None:  # the first to the command alone, whose workers it is to end
            os.killpg(process.pid, number) if place and number == signal.SIGINT else process.send_signal(number)
        time.sleep(0.02)
    errors = process.communicate(timeout=60)[1].decode()
    assert errors == "stopped: the same command goes on from the last checkpoint\n"
    # Of two that wait Python sees the lower first; one that comes after the end of the command ends Python itself.
    assert process.returncode in {status for number in signals for status in (128 + number, -number)}
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # workers too


def test_command__stopped_while_it_loads__ends_without_a_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "fl.training", *ENDLESS], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.endswith(" numpy.version\n"):  # in the middle of what the command imports
            process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    assert not [line for line in said if not line.startswith("import time:")]
