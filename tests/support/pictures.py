"""What an SVG shows, so that two drawings of the same data can be compared on any machine.

The bytes of a drawing are those of one CPU: another one's instructions round a coordinate in its last decimal, and the
names that matplotlib gives to clipping paths and markers are hashes of such coordinates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from xml.etree import ElementTree

VISIBLE = 0.05
"""Points, 1/72 of an inch: the least distance that counts as another picture; a pixel of a screen is 0.36 to 0.75."""

_NUMBER = re.compile(r"[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_REFERENCE = re.compile(r"#([\w.-]+)")


@dataclass(frozen=True)
class Mark:
    """One element of a drawing, or one of its attributes.

    Attributes:
        where: the element and attribute, for messages.
        words: what it says beside numbers; a name is the number of elements that were named before it.
        numbers: coordinates and sizes in points, and the numbers of a label.
        reach: how far a number may be off.
    """

    where: str
    words: str
    numbers: tuple[float, ...]
    reach: float

    def shows(self, other: Mark) -> bool:
        """Whether nobody could see a difference."""
        return (
            (self.where, self.words, len(self.numbers)) == (other.where, other.words, len(other.numbers))
            # compared so that a coordinate that is no number differs from every other
            and all(abs(one - two) <= self.reach for one, two in zip(self.numbers, other.numbers, strict=True))
        )


def marks_of(svg: str) -> list[Mark]:
    """Everything that an SVG of matplotlib's shows, in the order in which it is painted."""
    return list(_marks(ElementTree.fromstring(svg), {}))


def assert_same_picture(drawn: Path, committed: Path, again: str) -> None:
    """The two files show the same.

    Args:
        drawn: from the committed data, here.
        committed: what pages show.
        again: the command that draws it anew.
    """
    pairs = zip_longest(*(marks_of(path.read_text(encoding="utf-8")) for path in (drawn, committed)))
    different = [(one, two) for one, two in pairs if one is None or two is None or not one.shows(two)]
    assert not different, f"{len(different)} marks differ, first {different[0]}; draw it again: {again}"


def _marks(element: ElementTree.Element, names: dict[str, str]) -> Iterator[Mark]:
    tag = element.tag.rpartition("}")[2]
    if tag == "metadata":
        return
    for key, value in sorted(element.attrib.items()):
        attribute = key.rpartition("}")[2]
        if attribute == "id":
            names.setdefault(value, str(len(names)))
        else:
            yield _mark(
                f"{tag} {attribute}", _REFERENCE.sub(lambda found: "#" + _named(found[1], names), value), VISIBLE
            )
    if element.text and element.text.strip():
        yield _mark(tag, element.text.strip(), 0.0)
    for child in element:
        yield from _marks(child, names)


def _named(name: str, names: dict[str, str]) -> str:
    """A clipping path is used before it is defined; a colour is no name."""
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return name
    return names.setdefault(name, str(len(names)))


def _mark(where: str, value: str, reach: float) -> Mark:
    if where.endswith(" style"):  # colours and dashes: nothing that a CPU rounds
        return Mark(where, value, (), 0.0)
    numbers = tuple(float(found.replace("−", "-")) for found in _NUMBER.findall(value))
    assert all(math.isfinite(number) for number in numbers), f"{where}: {value}"
    return Mark(where, _NUMBER.sub("_", value), numbers, reach)
