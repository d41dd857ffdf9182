"""What `make` does before it does anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Our Makefile, and a set-up that leaves a trace and finds something missing."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "_setup.sh"
    script.write_text("#!/bin/sh\ntouch trace\necho 'HCFL set-up: Node is missing'\nexit 1\n", encoding="utf-8")
    script.chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"]}  # not the flags of a make that runs the tests
    return subprocess.run(["make", *arguments], cwd=checkout, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("look", ["-n", "--just-print", "-sn", "-q", "-t"])
def test_make__only_looking__touches_nothing(checkout: Path, look: str) -> None:
    before = sorted(checkout.rglob("*"))
    done = make(checkout, look, *TARGETS)
    assert sorted(checkout.rglob("*")) == before
    assert "***" not in done.stderr, done.stderr
    if "n" in look:
        set_up = [name for name in TARGETS if name not in ("help", "clean")]
        assert done.stdout.count("scripts/_setup.sh") == len(set_up), done.stdout


@pytest.mark.parametrize("arguments", [("ARGS=-n -q -t",), ("--no-print-directory",), ("-k", "-j2")])
def test_make__anything_else__sets_up_and_ends_with_its_line(checkout: Path, arguments: tuple[str, ...]) -> None:
    done = make(checkout, "round", *arguments)
    assert (checkout / "trace").exists()
    assert done.returncode == 2
    assert done.stderr.strip().endswith("HCFL set-up: Node is missing.  Stop.")
