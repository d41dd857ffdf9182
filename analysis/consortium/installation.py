"""The package in an environment of its own, outside the checkout's: as members have it who clone nothing."""

import subprocess
import sys
from pathlib import Path

from analysis.devnode.anvil import ROOT
from fl.faults import Fault

INSTALL = Path()
"""In place of a program: install the package."""

FOLDER = ROOT / ".cache" / "hcfl"


class InstallationError(Fault):
    """There is no such program, or it cannot be installed."""


def installed(program: Path) -> Path:
    """A program that has the members' commands.

    Args:
        program: it; `INSTALL`: made from this checkout, with what training and an S3 store need.

    Raises:
        InstallationError: there is none, or it cannot be installed.
    """
    if program == INSTALL:
        program = _install()
    if not program.is_file():
        raise InstallationError(f"there is no program {program}")
    return program.resolve()


def _install() -> Path:
    print(f"installs the package and all that it asks for into {FOLDER}", flush=True)
    commands = [
        [sys.executable, "-m", "venv", str(FOLDER)],
        [str(FOLDER / "bin" / "pip"), "install", "--quiet", f"{ROOT}[training,s3]"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallationError(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
    return FOLDER / "bin" / "hcfl"
