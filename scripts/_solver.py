"""Bitwuzla as a command, which its Python package lacks: `_bitwuzla.py file.smt2` prints what the file asks for.

Run by the Python of `.cache/prove`; halmos calls it for every question.
"""

import sys

from bitwuzla import Option, Options, Parser, TermManager  # type: ignore[import-not-found]

options = Options()
options.set(Option.PRODUCE_MODELS, True)
Parser(TermManager(), options).parse(sys.argv[1], False, True)
