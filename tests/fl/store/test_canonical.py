"""One form of JSON: read back as it was, and the same bytes in another language."""

import json
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.store.canonical import MOST_BRACKETS, MOST_EXACT, decode, encode
from fl.store.errors import ViewError, shown

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[{"), max_size=30)
VALUES = TEXT | st.integers(-MOST_EXACT, MOST_EXACT) | st.booleans() | st.none() | st.lists(TEXT, max_size=4)
NAMES = ("a", "model", "seed_2", "targets")

IN_JAVASCRIPT = """
const sorted = (value) => value && value.constructor === Object
  ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value;
const documents = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(documents.map((document) => JSON.stringify(sorted(document)))));
"""


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)))
def test_decode__any_document__is_what_was_encoded(document: dict[str, Any]) -> None:
    data = encode(document)
    assert decode(data, "text", NAMES, len(data)) == document
    with pytest.raises(ViewError, match="at most"):
        decode(data, "text", NAMES, len(data) - 1)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_encode__the_same_document_in_javascript__is_the_same_bytes() -> None:
    """What its digest needs. Every character that either language might escape is there, and integers up to 2^53."""
    odd = "".join(map(chr, (*range(0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F600, 0xE000)))
    documents: list[dict[str, Any]] = [
        {"targets": [odd], "seed": str(2**64), "b": MOST_EXACT, "a": {"z": True, "y": None, "x": -1}},
        *({"text": character, "code": number} for number, character in enumerate(odd)),
    ]
    shown_there = subprocess.run(
        ["node", "-e", IN_JAVASCRIPT], input=json.dumps(documents).encode(), capture_output=True, check=True
    )
    assert [text.encode() for text in json.loads(shown_there.stdout)] == [encode(document) for document in documents]


def test_decode__brackets__as_many_as_a_text_may_have() -> None:
    for brackets, readable in ((MOST_BRACKETS - 1, True), (MOST_BRACKETS, False)):
        data = b'{"a":"' + b"[" * brackets + b'"}'
        if readable:
            assert decode(data, "text", ["a"], 1000) == {"a": "[" * brackets}
        else:
            with pytest.raises(ViewError, match="more than 100 brackets"):
                decode(data, "text", ["a"], 1000)


@given(st.text() | st.binary() | st.lists(st.text()))
def test_shown__anything__is_one_short_line(value: Any) -> None:
    text = shown(value)
    assert text.isprintable() and len(text) <= 61
