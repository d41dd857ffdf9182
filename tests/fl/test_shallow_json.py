"""JSON of others: nothing in it can end the process."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.shallow_json import MOST_DEPTH, shallow_json

DEEP = 200_000

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\a'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\a'), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_shallow_json__brackets_and_quotes_in_texts__are_read(value: object) -> None:
    assert shallow_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        "[" * DEEP,
        '{"a":' * DEEP,
        '["' + "]" * DEEP + '",' + "[" * DEEP,
        '["\\"' + "]" * DEEP + '",' + "[" * DEEP,
        "[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1),
    ],
    ids=["lists", "objects", "closed in a text", "closed after an escaped quote", "one too deep"],
)
def test_shallow_json__nested_deep__refused(data: str) -> None:
    with pytest.raises(ValueError, match="nested deeper than 20"):
        shallow_json(data.encode())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16", "utf-32", "utf-8-sig"])
def test_shallow_json__in_another_encoding__refused(encoding: str) -> None:
    """A quote that is escaped in one of them ends a text in bytes, and all brackets behind it are in a text."""
    data = '{"a":"\\"","b":' + "[" * DEEP + "]" * DEEP + "}"
    with pytest.raises(ValueError):
        shallow_json(data.encode(encoding))
    with pytest.raises(ValueError):
        shallow_json("{}".encode(encoding))


@pytest.mark.parametrize("data", [b"", b'"', b'"\\"' * 100_000, b"]" * DEEP + b"[" * 30, b"\xff", b"[1"])
def test_shallow_json__no_json__refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        shallow_json(data)


def test_shallow_json__as_deep_as_may_be__is_read() -> None:
    assert shallow_json(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH)
