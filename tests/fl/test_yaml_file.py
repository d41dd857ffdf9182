"""Files of settings: what is wrong is told with its place, what it is and what it must be."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.yaml_file import ConfigurationError, Section, number, one_of, read_yaml, text, whole

Write = Callable[[str | bytes], Path]
Read = Callable[[str], Section]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "a.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def read(write: Write) -> Read:
    def read(content: str) -> Section:
        return read_yaml(write(content))

    return read


def test_take__what_stands_there__is_read_as_its_key_asks(read: Read) -> None:
    """An address without quotes is no number, `no` no boolean, 1:30 no number of base 60."""
    section = read("address: 0x5FbDB2315678afecb367f032d93F642f64180aa3\nword: no\ntime: 1:30\ncount: 7\nhalf: .5\n")
    assert section.take("address", text, "text") == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert section.take("word", one_of({"no": 4}), "no") == 4
    assert section.take("time", text, "text") == "1:30"
    assert section.take("count", whole(0, 7), "0 … 7") == 7
    assert section.take("half", number(0, 1), "0 … 1") == 0.5


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("count: 8\n", 'a.yaml:1: count is "8" and must be 0 … 7'),
        ("\ncount: seven\n", 'a.yaml:2: count is "seven" and must be 0 … 7'),
        ("count:\n  - 1\n", "a.yaml:2: count is a list of 1 and must be 0 … 7"),
        ("count: {a: 1}\n", "a.yaml:1: count is a mapping and must be 0 … 7"),
        ("count: null\n", "a.yaml: count is missing and must be 0 … 7"),
        ("other: 1\n", "a.yaml: count is missing and must be 0 … 7"),
        ("count: " + "8" * 100, f'a.yaml:1: count is "{"8" * 57}..." and must be 0 … 7'),
    ],
)
def test_take__something_else__file_line_key_what_it_is_and_must_be(read: Read, content: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read(content).take("count", whole(0, 7), "0 … 7")
    assert str(refusal.value).endswith(f"/{line}")


def test_take_or__null_or_missing__the_default(read: Read) -> None:
    section = read("a: null\nb: ~\nc: 3\n")
    assert [section.take_or(key, int, "a number", 9) for key in "abcd"] == [9, 9, 3, 9]


@pytest.mark.parametrize(
    ("key", "hint"),
    [("bnod", "did you mean bond?"), ("colour", "known are bond, stake")],
)
def test_only__unknown_key__the_nearest_known(read: Read, key: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"a.yaml:2: {key} is no key that is known here; ") as refusal:
        read(f"bond: 1\n{key}: 2\n").only("bond", "stake")
    assert str(refusal.value).endswith(hint)


def test_section__inside__its_key_is_the_whole_way(read: Read) -> None:
    section = read("a:\n  b:\n    c: x\n")
    inner = section.section("a").section("b")
    with pytest.raises(ConfigurationError, match=r'a.yaml:3: a.b.c is "x" and must be a number'):
        inner.take("c", int, "a number")
    with pytest.raises(ConfigurationError, match=r'a.yaml:3: a.b.c is "x" and must be a mapping'):
        inner.section("c")
    assert section.section("d") is None


def test_plain__options_of_another_library__as_yaml_reads_them(read: Read) -> None:
    assert read("o: {key: a, n: 3, deep: {b: true}}").plain("o") == {"key": "a", "n": 3, "deep": {"b": True}}
    assert read("a: 1").plain("o") == {}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: a is given again (first in line 1)"),
        ("a: {b: 1, b: 2}\n", "a.yaml:1: b of a is given again (first in line 1)"),
        ("[a]: 1\n", "a.yaml:1: a key is a list of 1 and must be a word"),
        ("- a\n", "must be a mapping of keys to values"),
        ("", "must be a mapping of keys to values"),
        ("a: [1\n", "is no YAML: expected ',' or ']'"),
        (b"a: \xff\n", "is no YAML:"),
        pytest.param("a: " + "1" * 1_000_000, "is over 1,000,000 bytes", id="large"),
    ],
)
def test_read__no_file_of_settings__one_line(write: Write, content: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        section = read_yaml(write(content))
        section.section("a")
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_read__nested_too_deep__one_line(read: Read) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(800)
    try:
        with pytest.raises(ConfigurationError, match="is no YAML: nested too deep"):
            read("a: " + "[" * 800 + "]" * 800)
    finally:
        sys.setrecursionlimit(before)


def test_read__no_such_file__one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.yaml: No such file"):
        read_yaml(tmp_path / "nowhere.yaml")


@given(content=st.binary(max_size=200))
def test_read__any_bytes__a_section_or_one_kind_of_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        section = read_yaml(path)
        for key in section.keys:
            section.take(key, int, "a number")
    except ConfigurationError as error:
        assert str(path) in str(error)
