"""`python -m tests.vectors`: write the vectors anew, those that are random only with `--sealed`."""

import sys

from tests.vectors.make import FOLDER, MAKERS, RANDOM, text_of

for name, make in MAKERS.items():
    if name != RANDOM or "--sealed" in sys.argv:
        (FOLDER / f"{name}.json").write_text(text_of(make()), encoding="utf-8")
