"""What was measured, as JSON: every trial of every pass, with the command, the machine, the versions and the commit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from analysis.benchmarks.training import peers
from analysis.benchmarks.training.trial import Trial
from analysis.benchmarks.training.workload import Workload
from analysis.provenance import machine, tools, write_document

RESULTS = Path(__file__).parent / "results"
WATCHED = ("fl/training", "analysis/benchmarks/training")


class RecordError(Exception):
    """A record cannot be read, or not be added to."""


@dataclass(frozen=True)
class Pass:
    """Contenders that were run one after the other; figures are compared within a pass only.

    Attributes:
        command: that made it.
        commit: of the sources.
        changed_since: whether the sources were changed since that commit.
        trials: in the order in which they were run.
    """

    command: str
    commit: str
    changed_since: bool
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Measured:
    """All passes of one workload.

    Attributes:
        workload: what was done.
        judged_on: number of test images that accuracies are of.
        passes: in the order in which they were made.
    """

    workload: Workload
    judged_on: int
    passes: tuple[Pass, ...]


@dataclass(frozen=True)
class Record:
    """Everything measured on one machine.

    Attributes:
        device: "cpu" or "cuda".
        machine: system, processor, GPU, cores.
        versions: of Python and of the libraries.
        measured: by name of the workload.
    """

    device: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    measured: Mapping[str, Measured]


def here(device: str) -> tuple[dict[str, Any], dict[str, str], dict[str, Any]]:
    """The machine, the versions, and where the sources stand."""
    found = {name: value for name, value in machine(WATCHED).items() if name not in tools()}
    versions = {"python": found.pop("python"), "torch": version("torch"), "numpy": version("numpy"), **peers.versions()}
    sources = {name: found.pop(name) for name in ("commit", "changed_since")}
    if device == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
    else:
        found["instructions"] = torch.backends.cpu.get_cpu_capability()
        if held := os.environ.get("ONEDNN_MAX_CPU_ISA"):
            found["instructions"] = f"{held.upper()}, held to by ONEDNN_MAX_CPU_ISA"
    return found, versions, sources


def path_of(record: Record) -> Path:
    """Of the committed record of a kind of device: CPUs of other instructions, or held to others, are of another."""
    if record.device == "cuda":
        return RESULTS / "cuda.json"
    instructions, _, held = record.machine["instructions"].partition(",")
    kind = instructions.partition("_")[0].lower()
    return RESULTS / f"cpu-{kind}{'-held' if held else ''}.json"


def added(record: Record, path: Path) -> Record:
    """The record behind what the file holds already.

    Raises:
        RecordError: the file is of another machine, other versions or another workload of the same name.
    """
    if not path.exists():
        return record
    old = read(path)
    if (old.machine, old.versions) != (record.machine, record.versions):
        raise RecordError(f"{path} was measured on another machine or with other versions: write it anew (--write)")
    measured = dict(old.measured)
    for name, new in record.measured.items():
        if name in measured:
            before = measured[name]
            if replace(before, passes=()) != replace(new, passes=()):
                raise RecordError(f"{path} has another workload {name}: write it anew (--write)")
            new = replace(new, passes=before.passes + new.passes)
        measured[name] = new
    return replace(record, measured=measured)


def write(record: Record, path: Path) -> None:
    """Write it."""
    document = {
        "machine": record.machine,
        "device": record.device,
        "versions": record.versions,
        "unit": "ended: seconds from the start of a contender's process to the end of each global round; peak: bytes "
        "of all its processes together, the largest sample",
        "workloads": {name: _as_json(measured) for name, measured in record.measured.items()},
    }
    write_document(path, document)


def _as_json(measured: Measured) -> dict[str, Any]:
    return {
        "settings": measured.workload.as_json(),
        "judged_on": measured.judged_on,
        "passes": [
            {
                "command": each.command,
                "commit": each.commit,
                "changed_since": each.changed_since,
                "trials": [{**asdict(t), "ended": [round(at, 3) for at in t.ended]} for t in each.trials],
            }
            for each in measured.passes
        ],
    }


def read(path: Path) -> Record:
    """Read what `write` wrote.

    Raises:
        RecordError: there is no such record.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        measured = {
            name: Measured(Workload(**found["settings"]), found["judged_on"], _passes(found["passes"]))
            for name, found in document["workloads"].items()
        }
        return Record(document["device"], document["machine"], document["versions"], measured)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is no record of this benchmark ({error}): write it anew (--write)") from error


def _passes(rows: Sequence[Mapping[str, Any]]) -> tuple[Pass, ...]:
    return tuple(
        Pass(row["command"], row["commit"], row["changed_since"], tuple(_trial(each) for each in row["trials"]))
        for row in rows
    )


def _trial(row: Mapping[str, Any]) -> Trial:
    lists = {name: tuple(row[name]) for name in ("ended", "steps")}
    return Trial(**{**row, **lists})
