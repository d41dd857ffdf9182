"""A document is read as it was written, and what is no document of this format is refused with the place."""

import copy
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.worked_example import ROUND
from fl.record.document import DocumentError, MemberEntry, RoundDocument, from_json, read, to_json, write


@pytest.fixture
def played() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(ROUND.read_text(encoding="utf-8"))
    return kept


def test_read__a_round_that_was_played__written_back_the_same(tmp_path: Path) -> None:
    document = read(ROUND)
    write(document, tmp_path / "round.json")
    assert json.loads((tmp_path / "round.json").read_text(encoding="utf-8")) == json.loads(ROUND.read_text("utf-8"))
    assert read(tmp_path / "round.json") == document
    assert [path.name for path in tmp_path.iterdir()] == ["round.json"], "no part of it is left"


def test_read__a_document_from_before_texts_were_in_it__is_read(played: dict[str, Any]) -> None:
    text = played["training"].pop("text")
    before = from_json(played).training
    assert text is not None and before is not None and before.text is None


def test_read__text_that_is_none__says_where(played: dict[str, Any]) -> None:
    played["training"]["text"]["seed"] = 5
    with pytest.raises(DocumentError, match=r"training\.text is no text of a proposal: the seed is 5"):
        from_json(played)


integers = st.integers(-(2**256), 2**256)


@given(st.from_type(MemberEntry), st.lists(integers, max_size=4), integers)
def test_to_json__any_amounts__survive_a_reader_that_knows_doubles(
    entry: MemberEntry, bids: list[int], kept: int
) -> None:
    document = replace(read(ROUND), owners=(replace(entry, bids=tuple(bids)),), kept=kept, training=None)
    text = json.dumps(to_json(document))
    assert from_json(json.loads(text)) == document
    assert from_json(json.loads(text, parse_int=lambda digits: int(float(digits)))) == document


@pytest.mark.parametrize("field", [field.name for field in fields(RoundDocument)])
def test_from_json__field_missing__named(played: dict[str, Any], field: str) -> None:
    del played[field]
    with pytest.raises(DocumentError, match=field if field != "format" else "format 1, and format 2"):
        from_json(played)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("format",), 1, "format 1, and format 2 is read here"),
        (("rebates",), 0, r"has \['rebates'\]"),
        (("owners", 1, "tax"), 0.5, r"owners\[1\].tax is 0.5, which is no int"),
        (("owners", 1, "tax"), "1e3", "which is no int"),
        (("owners", 1, "tax"), True, "which is no int"),
        (("owners", 1, "tax"), None, "which is no int"),
        (("owners", 1, "committed"), 1, "which is no bool"),
        (("owners", 1, "rebate"), 0, r"owners\[1\] has \['rebate'\]"),
        (("owners",), {}, "owners is no list"),
        (("owners", 1), [], "which is no object"),
        (("owners", 1, "payment"), 10**400, r"payment is 10{58}0…, which no number of a round is"),
        (("owners", 1, "payment"), str(-(2**512)), "which no number of a round is"),
        (("votes", 0, "measured_accuracy"), 10**400, "which no number of a round is"),
        (("owners", 1, "account"), ["x" * 5_000], r"account is \['x{58}…, which is no str"),
        (("format",), "9" * 5_000, r"of format '9{59}…, and format"),
        (("theta_range",), [1], "theta_range is no list"),
        (("claimant",), 7, "claimant is 7, which is no str"),
        (("votes", 0, "measured_accuracy"), "1", "which is no float"),
        (("training", "global_rounds", 0, "loss"), None, r"training.global_rounds\[0\].loss"),
    ],
)
def test_from_json__something_else_in_its_place__says_where(
    played: dict[str, Any], path: tuple[Any, ...], value: Any, words: str
) -> None:
    changed = copy.deepcopy(played)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(DocumentError, match=words):
        from_json(changed)


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_read__no_document__names_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "round.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match=r"round\.json"):
        read(path)
