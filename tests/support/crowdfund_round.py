"""`ape run crowdfund_round` in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
APE = Path(sys.executable).with_name("ape")
SMALL = ("--owners", "3", "--base-stations", "3", "--models", "1", "--rounds", "1", "--train-images", "50")
"""A round of a few seconds."""


def command(*options: str) -> list[str]:
    """What a user types."""
    return [str(APE), "run", "crowdfund_round", *options]


def run(
    *options: str, env: Mapping[str, str] | None = None, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ape starts and stops its own node for it.

    Args:
        options: of the command.
        env: beside, or instead of, what the environment has.
        before: called in the new process before the command is.
    """
    return subprocess.run(
        command(*options),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def play(folder: Path, *options: str) -> dict[str, Any]:
    """A round that must succeed, read back."""
    done = run("--out", str(folder), *options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Checked" in done.stdout
    return read(folder)


def read(folder: Path) -> dict[str, Any]:
    """The document that a round has left."""
    document: dict[str, Any] = json.loads((folder / "round.json").read_text(encoding="utf-8"))
    return document
