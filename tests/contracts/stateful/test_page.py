"""`contracts/invariants.md`: every test, function, type and file that it names exists, and every row names a check.

So are the promises that it makes about the sources.
"""

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "contracts"
PAGE = (FOLDER / "invariants.md").read_text(encoding="utf-8")
NAMED_TESTS = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", PAGE)
LINKS = re.findall(r"\[(.+?)\]\(([^)]+)\)", PAGE)
NAMED_SOLIDITY = re.findall(r"\[`(\w+)(?:\.(\w+))?`\]\(([\w/.]+\.sol)\)", PAGE)
NAMED_PYTHON = re.findall(r"\[`(\w+)`\]\(\.\./([\w/]+\.py)\)", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| invariant")]


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_page__tests_that_it_names__exist() -> None:
    assert len(NAMED_TESTS) > 25
    for file, name in NAMED_TESTS:
        assert (ROOT / file).is_file(), f"no such file: {file}"
        assert not name or f"\ndef {name}(" in text(ROOT / file), f"{file} has no {name}"


def test_page__files_that_it_links__exist() -> None:
    assert len(LINKS) > 60
    missing = [target for _, target in LINKS if not (FOLDER / target).exists()]
    assert not missing, f"no such files: {missing}"


def test_page__solidity_that_it_names__is_where_it_says() -> None:
    assert len(NAMED_SOLIDITY) > 50
    for owner, member, file in NAMED_SOLIDITY:
        source = text(FOLDER / file)
        declared = rf"\b(contract|interface|library|type|struct) {owner}(Library)?\b"
        assert re.search(declared, source), f"{file} has no {owner}"
        assert not member or re.search(rf"\bfunction {member}\(", source), f"{file} has no function {member}"


def test_page__python_that_it_names__is_where_it_says() -> None:
    assert len(NAMED_PYTHON) > 8
    for name, file in NAMED_PYTHON:
        assert re.search(rf"\b{name}\b", text(ROOT / file)), f"{file} has no {name}"


def test_page__every_row__names_code_and_a_check() -> None:
    assert len(ROWS) > 25
    for row in ROWS:
        invariant, held, checked = (cell.strip() for cell in row.strip("|").split(" | "))
        assert invariant and held, row
        assert re.search(r"walk|forge|test/proofs|::test_", checked), f"nothing checks: {invariant}"


def test_slither__every_detector_left_out__is_explained() -> None:
    left_out = json.loads(text(ROOT / "slither.config.json"))["detectors_to_exclude"].split(",")
    assert left_out == re.findall(r"^- `([\w-]+)`: ", PAGE, re.MULTILINE)


def test_assembly__every_block__has_its_formula_above() -> None:
    blocks = 0
    for path in (path for path in FOLDER.rglob("*.sol") if not {"test", ".cache"} & set(path.parts)):
        lines = text(path).splitlines()
        for above, line in pairwise(lines):
            if line.lstrip().startswith("assembly"):
                blocks += 1
                assert above.lstrip().startswith("// "), f"{path.name}: {line.strip()} stands alone"
    assert blocks == 8
