"""Where a committed result comes from: the machine, the versions of the tools and the commit."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fl.atomic import write_atomically

ROOT = Path(__file__).resolve().parents[1]
SHORT = 100  # characters: lists and objects up to that are one line, whatever they hold


def tools() -> dict[str, str]:
    """What gas depends on beside the sources: compiler and node."""
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    return {"solc": wanted["solc"], "anvil": wanted["@foundry-rs/anvil"]}


def machine(watched: Sequence[str] = ("contracts",)) -> dict[str, Any]:
    """Where and from what a result was measured.

    Args:
        watched: paths; "changed_since" says whether what lies there differs from the commit.
    """
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **tools(),
        "commit": _git("rev-parse", "HEAD"),
        "changed_since": bool(_git("status", "--porcelain", "--", *watched)),
    }


def check_writable(path: Path) -> None:
    """See that a result can be written, before hours are spent on it; what is there stays.

    Raises:
        OSError: it cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    path.open("a").close()
    if new:
        path.unlink()


def write_document(path: Path, document: Any) -> None:
    """Write a result, in a folder that is made where it is missing; a disk that is full leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, as_json(document).encode())


def as_json(document: Any) -> str:
    """JSON with one row per line, so that a change shows in review as the rows that changed.

    A row is a list or an object that is short, or holds no other.
    """
    return _rows(json.loads(json.dumps(document)), "") + "\n"


def _rows(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if len(line) <= SHORT or not any(isinstance(part, dict | list) for part in inner):
        return line
    below = indent + " "
    if isinstance(value, dict):
        (opening, closing), items = "{}", [f"{json.dumps(key)}: {_rows(part, below)}" for key, part in value.items()]
    else:
        (opening, closing), items = "[]", [_rows(part, below) for part in value]
    return opening + ",".join(f"\n{below}{item}" for item in items) + f"\n{indent}{closing}"


def _processor() -> str:
    """The processor's name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git: the sources were brought along
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"
