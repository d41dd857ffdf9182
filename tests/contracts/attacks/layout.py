"""Where the fields of a packed word are, as its type draws them in `contracts/types`."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TYPES = Path(__file__).parents[3] / "contracts" / "types"
WORD_BITS = 256
# `/// 160 escrow 96 | 44 listed |`: offset, name, width where it is not 1.
DRAWN = re.compile(r"(\d+) ([\w…θ]+)(?: (\d+))?")


@dataclass(frozen=True)
class Field:
    """Bits `offset … offset + width − 1` of a word."""

    name: str
    offset: int
    width: int

    @property
    def largest(self) -> int:
        return (1 << self.width) - 1

    @property
    def mask(self) -> int:
        return self.largest << self.offset

    def of(self, word: int) -> int:
        return word >> self.offset & self.largest

    def put(self, word: int, value: int) -> int:
        """The word with the field set."""
        assert 0 <= value <= self.largest, f"{value} does not fit {self.name}"
        return word & ~self.mask | value << self.offset


@cache
def fields_of(type_name: str) -> dict[str, Field]:
    """The fields of a type by name, from the top down, `free` ones left out.

    Raises:
        ValueError: the drawing has gaps or overlaps, or is not there.
    """
    lines = (TYPES / f"{type_name}.sol").read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"///   \d+ \w+", line)), None)
    if start is None:
        raise ValueError(f"{type_name}.sol draws no layout")
    drawn = ""
    for line in lines[start:]:
        if not line.startswith("///   "):
            break
        drawn += " " + line.removeprefix("///")
    fields, top = {}, WORD_BITS
    for part in drawn.split("|"):
        match = DRAWN.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{type_name}.sol draws {part.strip()!r}")
        field = Field(match[2], int(match[1]), int(match[3] or 1))
        # A free part at the top may be drawn as one bit or by its width.
        if field.offset + field.width != top and not (field.name == "free" and top == WORD_BITS):
            raise ValueError(f"{type_name}.sol: {field.name} ends at {field.offset + field.width}, not at {top}")
        top = field.offset
        fields[field.name] = field
    if top:
        raise ValueError(f"{type_name}.sol: nothing is drawn below {top}")
    fields.pop("free", None)
    return fields
