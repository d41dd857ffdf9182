"""The solver that halmos asks: `_solver.py file.smt2` prints what the file asks for.

Products of unknowns are what makes these questions hard. Z3 multiplies them out first, which settles those where all
of them cancel; it gets a few seconds. All others go to bitwuzla, whose Python package lacks a command. Run by the
Python of `.cache/prove`.

Halmos first asks with products and divisions as functions that nothing is known of. Z3 is told what a product is:
without that even `a · b = b · a` would go round by halmos' second question, which has divisions in it as well.
"""

import re
import subprocess
import sys
from pathlib import Path

from bitwuzla import Option, Options, Parser, TermManager  # type: ignore[import-not-found]

SECONDS = 5
# Halmos' function for a product, as it declares it: two words to one.
PRODUCT = re.compile(r"\(declare-fun (f_evm_bvmul_\d+) \((\(_ BitVec \d+\)) \2\) \2\)")
MULTIPLIED = r"(define-fun \1 ((a \2) (b \2)) \2 (bvmul a b))"


def cancels(file: str) -> bool:
    """Whether z3 finds at once that there is no counterexample."""
    question = PRODUCT.sub(MULTIPLIED, Path(file).read_text(encoding="utf-8"))
    command = [str(Path(sys.executable).parent / "z3"), f"-T:{SECONDS}", "rewriter.som=true", "-in"]
    return subprocess.run(command, input=question, capture_output=True, text=True).stdout.startswith("unsat")


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
