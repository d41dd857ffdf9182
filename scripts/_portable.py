"""`make portable`: the tests whose numbers a CPU's instructions decide, as older and newer CPUs compute them.

The libraries choose their code by the CPU that they find; environment variables hold them to what an older one has. So
a machine shows what every kind below it does. The digest of a training stands beside each kind: if it differs from the
others, the libraries switched.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent

NUMERIC = ("tests/support", "tests/fl/training", "tests/analysis/figures", "tests/analysis/benchmarks/training")
SHORT = (
    "tests/support",
    "tests/fl/training/test_hierarchy.py",
    "tests/fl/training/test_participation.py",
    "tests/fl/training/test_averaging_variants.py",
    "tests/fl/training/model/test_blocked.py",
    "tests/analysis/figures/test_committed.py",
    "tests/analysis/benchmarks/training/test_contenders.py",
)

# What numpy may not use on each kind. It refuses names that this CPU lacks.
_NEWER_THAN_AVX2 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
_NEWER_THAN_SSE = f"AVX F16C FMA3 AVX2 {_NEWER_THAN_AVX2}"


@dataclass(frozen=True)
class Kind:
    """A kind of CPU, for PyTorch's own loops, oneDNN, MKL and numpy.

    Attributes:
        name: of its instructions.
        variables: that hold the libraries to them; none: what this CPU has.
        threads: of PyTorch and MKL.
    """

    name: str
    variables: Mapping[str, str]
    threads: int

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that computes as this kind does."""
        return {**os.environ, **self.variables, "OMP_NUM_THREADS": str(self.threads)}


def kinds() -> Iterator[Kind]:
    """What this machine can be, the newest first."""
    features: Mapping[str, bool] = np.core._multiarray_umath.__cpu_features__

    def held(aten: str, onednn: str, mkl: str, numpy: str) -> dict[str, str]:
        there = " ".join(name for name in numpy.split() if features.get(name))
        return {
            "ATEN_CPU_CAPABILITY": aten,
            "ONEDNN_MAX_CPU_ISA": onednn,
            "MKL_CBWR": mkl,
            "NPY_DISABLE_CPU_FEATURES": there,
        }

    yield Kind("as it is", {}, 2)
    if features.get("AVX512F"):
        yield Kind("AVX2", held("avx2", "AVX2", "AVX2", _NEWER_THAN_AVX2), 1)
    if features.get("AVX2"):
        yield Kind("SSE4.1", held("default", "SSE41", "COMPATIBLE", _NEWER_THAN_SSE), 2)


def digest(kind: Kind) -> str:
    """Of a small network trained as this kind does."""
    command = [sys.executable, "-m", "tests.fl.training.test_reproducible"]
    done = subprocess.run(command, cwd=ROOT, env=kind.environment, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["small-cnn"])[:14]


def passes(kind: Kind, tests: tuple[str, ...]) -> bool:
    """Whether the tests pass as this kind computes."""
    command = [str(ROOT / ".venv" / "bin" / "ape"), "test", "-q", "--no-header", *tests]
    return subprocess.run(command, cwd=ROOT, env=kind.environment).returncode == 0


@click.command()
@click.option("--short", is_flag=True, help="The tests that differed before, on the kinds that this CPU is not.")
@click.argument("tests", nargs=-1)
def main(short: bool, tests: tuple[str, ...]) -> None:
    """Run the numeric tests, or these TESTS, on every kind of CPU that this one can act."""
    chosen = tests or (SHORT if short else NUMERIC)
    summary, failed = [], False
    for kind in list(kinds())[1 if short else 0 :]:
        began = time.monotonic()
        click.secho(f"\n── {kind}", bold=True)
        passed = passes(kind, chosen)
        failed |= not passed
        outcome = "pass" if passed else "FAIL"
        summary.append(f"{kind!s:<22} trains to {digest(kind)}…  {time.monotonic() - began:4.0f} s  {outcome}")
    click.echo("\n" + "\n".join(summary or ["This CPU can act no other kind."]))
    sys.exit(failed)


if __name__ == "__main__":
    main()
