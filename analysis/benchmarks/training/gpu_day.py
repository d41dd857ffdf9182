"""All that is measured when a GPU is at hand for a quarter of an hour, in one command that was prepared without one.

    python -m analysis.benchmarks.training subset --data-dir cifar10 --out cifar10.npz
    python -m analysis.benchmarks.training gpu-day --data cifar10.npz --out gpu-day

Its steps are commands of their own, in the order of their worth, each with a limit of time. After each one
`gpu-day.json` says how it ended, and every step writes its own file as it goes: what is cut off leaves what it has. A
step that fails does not stop the next. `--tiny` tries all of it out on a CPU.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console

from analysis.benchmarks.training import record
from analysis.benchmarks.training.device_step import COMPILED, PLAIN, VARIANTS
from analysis.benchmarks.training.peers import ROOT
from analysis.benchmarks.training.processes import end
from analysis.provenance import check_writable, write_document
from fl.faults import line_of
from fl.training.data.dataset import load_dataset
from fl.training.errors import DataError, TrainingError
from fl.training.model.runtime import pick_device

LAST_SAID = 3_000  # characters
PRECISIONS = {  # by the variant of `device_step`
    "CUDA graphs": "float32",
    "CUDA graphs, tf32": "tf32",
    "CUDA graphs, bf16": "bfloat16",
}
OURS = ("ours-tf32", "ours-bf16", "ours")
OTHERS = ("flower", "pfl", "plain", "plain-processes", "floor")


@dataclass(frozen=True)
class Step:
    """A command, and the seconds that it may take.

    Attributes:
        name: for people.
        arguments: of Python.
        seconds: after which it is ended.
    """

    name: str
    arguments: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Ended:
    """How a step ended.

    Attributes:
        name: of the step.
        command: that was run.
        seconds: it took.
        status: its exit status; None: its time was up.
        said: the end of what it said.
    """

    name: str
    command: str
    seconds: float
    status: int | None
    said: str


def play(step: Step, left: float) -> Ended:
    """Run a step for as long as it may, and as there is time left."""
    command = [sys.executable, *step.arguments]
    shown, began = shlex.join(command), time.monotonic()
    if left <= 0:
        return Ended(step.name, shown, 0.0, None, "there was no time left")
    with tempfile.TemporaryFile() as said:  # no pipe, which what it has started could hold open
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status: int | None = process.wait(min(step.seconds, left))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end(process)
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    return Ended(step.name, shown, round(time.monotonic() - began, 1), status, text[-LAST_SAID:])


def steps(out: Path, data: Path, device: str, tiny: bool) -> Iterator[Step]:
    """The steps, each made when it is asked for: later ones choose by what earlier ones found.

    Args:
        out: folder for their files.
        data: folder of images.
        device: "cpu" or "cuda".
        tiny: in settings of seconds.
    """
    ours = "-m analysis.benchmarks.training"
    where = ("--device", device, "--data-dir", str(data))
    pytest = "-m pytest --confcutdir=tests/fl/training -p no:cacheprovider -m gpu -q -rfE"
    yield Step("bits", _words(pytest, *gpu_tests()), 120)
    sizes = [("small-cnn", 4)] if tiny else [("cnn", 50), ("resnet50", 32)]

    def device_step(name: str, model: str, batch: int, variants: Sequence[str]) -> Step:
        few = " --clients 2 --rounds 1" if tiny else " --clients 4" * (model == "resnet50")  # each with all its memory
        size = f"--model {model} --batch {batch}{few}"
        chosen = [word for variant in variants for word in ("--variant", variant)]
        words = _words(f"{ours}.device_step --device {device} {size}", *chosen, "--out", str(out / f"{name}.json"))
        return Step(name, words, 90)

    for model, batch in sizes:
        quick = [variant.name for variant in VARIANTS if variant.name != COMPILED]
        yield device_step(f"step-{model}", model, batch, quick)
    who = " ".join(f"--contender {name}" for name in (*OURS, *OTHERS))
    size = "--workload digits --rounds 2" if tiny else "--workload 10x10 --rounds 3"
    there = where[:2] if tiny else where  # digits come with a library
    words = _words(f"{ours} compare --installed --passes 1 {size} {who}", *there, "--out", str(out / "compare.json"))
    yield Step("compare", words, 240)
    setting = f" --precision {fastest(out / f'step-{sizes[-1][0]}.json')}"
    size = " --model cnn --rounds 1 --stations 2 --train-images 20 --test-images 20" * tiny
    yield Step(
        "paper-run", _words(f"{ours} paper-run{setting}{size}", *where, "--out", str(out / "paper-run.json")), 300
    )
    words = _words(f"{ours} streams{' --tiny' * tiny}", *where, "--out", str(out / "streams.json"))
    yield Step("streams", words, 120)
    words = _words(
        f"-m analysis.figures.accuracy_trainings{' --tiny' * tiny}", *where, "--out", str(out / "figure.json")
    )
    yield Step("figure", words, 300)
    for model, batch in sizes:
        yield device_step(f"compiled-{model}", model, batch, (PLAIN, COMPILED))


def _words(command: str, *more: str) -> tuple[str, ...]:
    return (*command.split(), *more)


def gpu_tests() -> list[str]:
    """The files with tests that need a GPU; others may need libraries that are not where the GPU is."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if "@needs_gpu" in path.read_text(encoding="utf-8")]


def fastest(path: Path) -> str:
    """The precision in which steps of a file of `device_step` are fastest; float32 where it was not written."""
    try:
        taken = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    except (OSError, ValueError, KeyError):
        taken = {}
    measured = [name for name in PRECISIONS if taken.get(name)]
    return PRECISIONS[min(measured, key=lambda name: median(taken[name]))] if measured else "float32"


def unpack(data: Path, folder: Path) -> Path:
    """A folder of images from a file of `subset` or an archive of such a folder; a folder is taken as it is.

    Raises:
        DataError: it is nothing of these.
    """
    if data.is_dir():
        return data
    try:
        if data.suffix != ".npz":
            # Python before 3.11.4 has no filter; the archive is one's own.
            filtered: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            shutil.unpack_archive(data, folder, **filtered)
            inner = [path.parent for path in folder.rglob("train") if path.is_dir()]
            return inner[0] if inner else folder
        arrays = np.load(data)
        names = [str(name) for name in arrays["label_names"]]
        with ThreadPoolExecutor() as pool:
            for part in ("train", "test"):
                for name in names:
                    (folder / part / name).mkdir(parents=True, exist_ok=True)
                paths = [
                    folder / part / names[label] / f"{number:05}.png"
                    for number, label in enumerate(arrays[f"{part}_labels"])
                ]
                list(pool.map(_save, arrays[f"{part}_images"], paths))
    except (OSError, ValueError, KeyError, shutil.ReadError) as error:
        raise DataError(
            f"{data} is neither a folder of images, an archive of one, nor made by subset: {error}"
        ) from error
    return folder


def _save(pixels: Any, path: Path) -> None:
    Image.fromarray(pixels.transpose(1, 2, 0)).save(path, compress_level=1)


@click.command("gpu-day")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="A folder or an archive of CIFAR-10, or what subset writes.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for all files.")
@click.option("--device", default="cuda", show_default=True, type=click.Choice(["cpu", "cuda"]))
@click.option("--seconds", default=840.0, show_default=True, help="For all of it.")
@click.option("--step", "names", multiple=True, help="Its name, as the command says it; default: all.")
@click.option("--tiny", is_flag=True, help="Try it out: every step in seconds, and of no meaning.")
def gpu_day(data: Path, out: Path, device: str, seconds: float, names: tuple[str, ...], tiny: bool) -> None:
    """Measure all that needs a GPU, in the order of its worth, until the time is up."""
    console, began = Console(), time.monotonic()
    out = out.resolve()
    try:
        pick_device(device)
        out.mkdir(parents=True, exist_ok=True)
        # a folder of its own, so that none that was there before is removed with it
        with tempfile.TemporaryDirectory(prefix="images-", dir=out) as unpacked:
            folder = unpack(data.resolve(), Path(unpacked))
            there = [step.name for step in steps(out, folder, device, tiny)] if names else []
            if unknown := [name for name in names if name not in there]:
                raise TrainingError(f"there is no step {', '.join(unknown)}: choose from {', '.join(there)}")
            machine, versions, sources = record.here(device)
            done: list[Ended] = []
            for step in steps(out, folder, device, tiny):
                if names and step.name not in names:
                    continue
                ended = play(step, seconds - (time.monotonic() - began))
                done.append(ended)
                how = "no time" if ended.status is None else "done" if ended.status == 0 else f"status {ended.status}"
                console.print(f"{step.name}: {how} after {ended.seconds:.1f} s", highlight=False)
                document = {
                    **sources,
                    "machine": machine,
                    "versions": versions,
                    "steps": [asdict(each) for each in done],
                }
                write_document(out / "gpu-day.json", document)
    except (TrainingError, OSError) as error:
        raise click.ClickException(line_of(error)) from None
    if any(ended.status for ended in done):
        sys.exit(1)


@click.command("subset")
@click.option("--data-dir", required=True, type=click.Path(path_type=Path), help="CIFAR-10.")
@click.option("--train-images", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--test-images", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File, .npz.")
def subset(data_dir: Path, train_images: int, test_images: int, out: Path) -> None:
    """Write a part of CIFAR-10 as one file of uint8 arrays, for a machine that can fetch nothing."""
    try:
        check_writable(out)
        dataset = load_dataset("cifar10", data_dir, train_images=train_images, test_images=test_images)
    except (TrainingError, OSError) as error:
        raise click.ClickException(line_of(error)) from None
    parts = {"train": dataset.train, "test": dataset.test}
    arrays = {f"{part}_images": samples.inputs.numpy() for part, samples in parts.items()}
    arrays |= {f"{part}_labels": samples.labels.numpy() for part, samples in parts.items()}
    with out.open("wb") as file:  # a name without .npz would get it
        np.savez_compressed(file, label_names=np.array(dataset.label_names), **arrays)
    Console().print(f"Written: {out}, {out.stat().st_size / 1e6:.1f} MB", highlight=False, soft_wrap=True)
