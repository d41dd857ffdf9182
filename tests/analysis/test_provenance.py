"""How results are written."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.provenance import as_json
from tests.support.pages import ROOT

RESULTS = sorted((ROOT / "analysis").rglob("*.json"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=40)


@given(DOCUMENTS)
def test_as_json__any_document__reads_back_as_it_was(document: object) -> None:
    assert json.loads(as_json(document)) == document


def test_as_json__rows__are_one_line_each() -> None:
    long = list(range(40))
    document = {"unit": "gwei", "rows": [long, {"a": 1, "b": {"c": 2}}, {"long": long}]}
    assert as_json(document).splitlines() == [
        "{",
        ' "unit": "gwei",',
        ' "rows": [',
        f"  {long},",
        '  {"a": 1, "b": {"c": 2}},',
        "  {",
        f'   "long": {long}',
        "  }",
        " ]",
        "}",
    ]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_results__committed__are_written_by_the_one_writer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == as_json(json.loads(text))
