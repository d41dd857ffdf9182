"""The environment of Flower and pfl-research, `.bench/venv`, which takes PyTorch from the project's own."""

from __future__ import annotations

import subprocess
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".bench"
PYTHON = FOLDER / "venv" / "bin" / "python"
REQUIREMENTS = ROOT / "requirements-bench.txt"


def set_up() -> None:
    """Install the pinned peers, once for each state of the pins and of the project's environment.

    Raises:
        click.ClickException: pip failed.
    """
    ours = sysconfig.get_path("purelib")
    state = f"{ours}\n{version('torch')}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    stamp = FOLDER / "venv" / ".complete"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    click.echo("Setting up Flower, Ray and pfl-research in .bench (700 MB)", err=True)
    venv.create(FOLDER / "venv", clear=True, with_pip=True)
    options = ["--quiet", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run([PYTHON, "-m", "pip", "install", *options, "-r", REQUIREMENTS], check=False)
    if done.returncode:
        raise click.ClickException("pip could not install Flower and pfl-research; it says why above")
    # Searched last, so that what is pinned here comes first; PyTorch and what it needs is found there.
    (site,) = (FOLDER / "venv" / "lib").glob("python3.*/site-packages")
    (site / "hcfl_torch.pth").write_text(f"{ours}\n", encoding="utf-8")
    stamp.write_text(state, encoding="utf-8")


def versions() -> dict[str, str]:
    """Of the peers, as pinned."""
    pins = dict(line.split("==") for line in REQUIREMENTS.read_text("utf-8").splitlines() if "==" in line)
    return {name: pins[name] for name in ("flwr", "ray", "pfl")}
