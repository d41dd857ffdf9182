"""How results are written."""

import json
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.provenance import as_json, check_writable, write_document
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


def test_write__no_room_for_it__leaves_what_was_there(tmp_path: Path) -> None:
    """Results of hours are written anew after each round."""
    path = tmp_path / "folder" / "result.json"
    write_document(path, {"rounds": [1]})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_document(path, {"rounds": [1] * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert json.loads(path.read_text(encoding="utf-8")) == {"rounds": [1]}
    assert list(path.parent.iterdir()) == [path]


def test_check_writable__any_file__is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "result.json"
    check_writable(path)
    assert not path.exists()
    write_document(path, [1])
    check_writable(path)
    assert json.loads(path.read_text(encoding="utf-8")) == [1]
    with pytest.raises(FileExistsError):
        check_writable(path / "another.json")
