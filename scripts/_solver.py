"""The solver that halmos asks: `_solver.py file.smt2` prints what the file asks for.

Products of unknowns are what makes these questions hard. Z3 multiplies them out first, which settles those where all
of them cancel; it gets a few seconds. All others go to bitwuzla, whose Python package lacks a command. Run by the
Python of `.cache/prove`.
"""

import subprocess
import sys
from pathlib import Path

from bitwuzla import Option, Options, Parser, TermManager  # type: ignore[import-not-found]

SECONDS = 5


def cancels(file: str) -> bool:
    """Whether z3 finds at once that there is no counterexample."""
    command = [str(Path(sys.executable).parent / "z3"), f"-T:{SECONDS}", "rewriter.som=true", file]
    return subprocess.run(command, capture_output=True, text=True).stdout.startswith("unsat")


def main(file: str) -> None:
    """Answer."""
    if cancels(file):
        print("unsat")
        return
    options = Options()
    options.set(Option.PRODUCE_MODELS, True)
    Parser(TermManager(), options).parse(file, False, True)


if __name__ == "__main__":
    main(sys.argv[1])
