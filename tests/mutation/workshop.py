"""A copy of the last commit in which contracts are changed, compiled and tested. The checkout itself is only read."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant, MutantError

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = "contracts/HCFL.sol"
TESTS = "tests/contracts"
# A change of gas or of code size alone is no fault that a member could meet.
LEFT_OUT = ("test_gas.py", "test_coverage.py", "test_scale.py", "attacks/test_page.py", "stateful/test_page.py")
LARGEST_CODE = 24_576
SECONDS = 900  # of one pytest run
PYTEST = (
    *("-x", "-q", "--tb=short", "-rfE", "-p", "no:cacheprovider"),
    *("-p", "tests.mutation.plugin", "--hypothesis-profile=mutation"),
)
COMPILE = f"""
from analysis.devnode.sources import compile_contract
print("code size", len(compile_contract("{CONTRACT}").runtime))
"""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the test that noticed it, or None, and how long that took, in seconds."""

    mutant: Mutant
    caught_by: str | None
    seconds: float


def last_commit(folder: Path) -> None:
    """Put what git has at HEAD into a new folder: a file that is being edited meanwhile cannot spoil a verdict."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)


class Workshop:
    """One copy. Several can work at once."""

    def __init__(self, folder: Path, sources: Path) -> None:
        """Set up in `folder` a copy of `sources`, with the checkout's tools."""
        self._root = folder
        shutil.copytree(sources, folder)
        for name in (".venv", "node_modules", ".cache/solcx"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to(ROOT / name)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "APE_DATA_FOLDER": str(self._root / ".ape")}
        command = [sys.executable, *arguments]
        try:
            return subprocess.run(
                command, cwd=self._root, env=environment, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise MutantError(f"no end after {SECONDS} s: {' '.join(arguments)}") from error

    def compile(self) -> None:
        """Compile the copy's contracts; the tests then find them compiled.

        Raises:
            MutantError: they do not compile, or are too large to be deployed.
        """
        done = self._run("-c", COMPILE)
        size = re.search(r"code size (\d+)", done.stdout)
        if done.returncode or not size:
            raise MutantError(f"does not compile:\n{(done.stdout + done.stderr)[-2_000:]}")
        if int(size[1]) > LARGEST_CODE:
            raise MutantError(f"{size[1]} bytes are too many to be deployed")

    def first_failure(self, tests: tuple[str, ...], but: tuple[str, ...] = ()) -> str | None:
        """Run tests until one fails, and return its name.

        Args:
            tests: below `tests/contracts`; none for all of them.
            but: files to leave out.

        Raises:
            MutantError: pytest could not run them.
        """
        paths = [f"{TESTS}/{test}" for test in tests] or [TESTS]
        ignored = [f"--ignore={TESTS}/{name}" for name in (*LEFT_OUT, *but)]
        done = self._run("-m", "pytest", *PYTEST, *paths, *ignored)
        if done.returncode == 0:
            return None
        failed = re.search(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - |$)", done.stdout, re.MULTILINE)
        if done.returncode != 1 or not failed:
            raise MutantError(f"pytest ends with {done.returncode}:\n{(done.stdout + done.stderr)[-2_000:]}")
        return failed[1].removeprefix(f"{TESTS}/")

    def try_out(self, mutant: Mutant) -> Verdict:
        """Make one change, test it, take it back.

        Raises:
            MutantError: it says nothing about the tests; the message names it.
        """
        began = time.monotonic()
        source = self._root / mutant.file
        before = source.read_bytes()
        try:
            source.write_text(mutant.changed(self._root), encoding="utf-8")
            self.compile()
            caught_by = self.first_failure(mutant.tests)
            if caught_by is None:
                whole_files = tuple(test for test in mutant.tests if "::" not in test)
                caught_by = self.first_failure((), but=whole_files)
        except MutantError as error:
            raise MutantError(f"{mutant.why}: {error}") from error
        finally:
            source.write_bytes(before)
        return Verdict(mutant, caught_by, time.monotonic() - began)
