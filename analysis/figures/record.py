"""A figure's data as committed: JSON with the command, the seed, the machine and the commit that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.figures.figure import Data, Figure, FigureError, Request, Setting
from analysis.provenance import machine, write_document

RESULTS = Path(__file__).parent / "results"
REFERENCE = ("mechanism", "round_facts", "settlement")
WATCHED = ("contracts", "fl", "analysis/figures", "analysis/devnode", *(f"analysis/{name}.py" for name in REFERENCE))


def stem_of(name: str, setting: Setting, folder: Path = RESULTS) -> Path:
    """Where a figure's files lie, without the ending."""
    return folder / setting / name


def command_of(figure: Figure, request: Request) -> str:
    """The command that makes the figure again; where the data are is left to whoever runs it."""
    setting = figure.setting(request)
    words = ["python -m analysis.figures", figure.name]
    words += ["--quick"] * request.quick + [f"--seed {request.seed}"] * (request.seed != 0)
    if figure.trains and setting is not Setting.QUICK:
        words.append(f"--device {'cpu' if setting is Setting.CPU else 'cuda'}")
    return " ".join(words + ["--data-dir DIR"] * (request.data_dir is not None))


def write(figure: Figure, request: Request, data: Data, seconds: float, folder: Path = RESULTS) -> Path:
    """Write the data."""
    head = {
        "written_by": command_of(figure, request),
        "seed": request.seed,
        "seconds": round(seconds, 1),
        "machine": machine(WATCHED),
    }
    path = stem_of(figure.name, figure.setting(request), folder).with_suffix(".json")
    write_document(path, {**head, "data": data})
    return path


def read(name: str, setting: Setting, folder: Path = RESULTS) -> Mapping[str, Any]:
    """The document that `write` has written; its data are under "data".

    Raises:
        FigureError: there is none, or it is broken.
    """
    path = stem_of(name, setting, folder).with_suffix(".json")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {**document, "data": document["data"]}
    except FileNotFoundError:
        raise FigureError(f"there is no {path}: measure it first, without --redraw") from None
    except (ValueError, KeyError, TypeError) as error:
        raise FigureError(f"{path} cannot be read ({error}): measure it anew, without --redraw") from None
