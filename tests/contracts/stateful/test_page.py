"""`contracts/invariants.md`: every test, function, type and file that it names exists, and every row names a check.

So are the promises that it makes about the sources.
"""

import json
import re
from itertools import pairwise

from tests.support.pages import ROOT, Page, text

FOLDER = ROOT / "contracts"
PAGE = Page(FOLDER / "invariants.md")


def test_page__tests_that_it_names__exist() -> None:
    assert len(PAGE.named_tests) > 25
    assert not PAGE.missing_tests()


def test_page__files_that_it_links__exist() -> None:
    assert len(PAGE.links) > 60
    assert not PAGE.missing_files()


def test_page__code_that_it_names__is_where_it_says() -> None:
    assert len(PAGE.named_code) > 58
    assert not PAGE.missing_code()


def test_page__every_row__names_code_and_a_check() -> None:
    assert len(PAGE.rows()) > 25
    for invariant, held, checked in PAGE.rows():
        assert invariant and held, invariant
        assert re.search(r"walk|forge|test/proofs|::test_", checked), f"nothing checks: {invariant}"


def test_slither__every_detector_left_out__is_explained() -> None:
    left_out = json.loads(text(ROOT / "slither.config.json"))["detectors_to_exclude"].split(",")
    assert left_out == re.findall(r"^- `([\w-]+)`: ", PAGE.text, re.MULTILINE)


def test_assembly__every_block__has_its_formula_above() -> None:
    blocks = 0
    for path in (path for path in FOLDER.rglob("*.sol") if not {"test", ".cache"} & set(path.parts)):
        lines = text(path).splitlines()
        for above, line in pairwise(lines):
            if line.lstrip().startswith("assembly"):
                blocks += 1
                assert above.lstrip().startswith("// "), f"{path.name}: {line.strip()} stands alone"
    assert blocks == 7
