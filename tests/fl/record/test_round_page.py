"""The page about round.json lists the fields of a round that was played, no more and no fewer."""

import json
import re
from typing import Any

import pytest

from analysis.worked_example import ROUND
from tests.support.pages import ROOT, text

PAGE = text(ROOT / "fl" / "record" / "round.md")
SECTIONS = PAGE.split("\n## ")[1:]


def objects(heading: str, document: Any) -> list[dict[str, Any]]:
    """What a section is about: the document, or what lies under the keys that its heading names."""
    found = []
    for path in re.findall(r"`([\w.]+)`", heading) or [""]:
        parts = [document]
        for key in filter(None, path.split(".")):
            values = [part[key] for part in parts]
            parts = [item for value in values for item in (value if isinstance(value, list) else [value])]
        found += parts
    return found


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0].replace("`", ""))
def test_fields__each_section__are_those_of_a_round_that_was_played(section: str) -> None:
    heading, *lines = section.splitlines()
    told = [name for line in lines if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    played = objects(heading, json.loads(ROUND.read_text(encoding="utf-8")))
    assert played
    for part in played:
        assert sorted(told) == sorted(part)
