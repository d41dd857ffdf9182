"""Numbers, times and members' own words as the pages show them."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from fractions import Fraction

from markupsafe import Markup

from fl.market.terms import GWEI
from fl.market.words import short_gwei
from fl.record.document import RoundDocument

LONGEST = 120
"""Characters of a member's own text that are shown."""

MOST_MARKS = 2
"""Marks that may stand upon one letter; more of them would run into the next line."""

NBSP = "\N{NO-BREAK SPACE}"


def shown(text: str, longest: int = LONGEST) -> Markup:
    """What a member wrote, as text and nothing else.

    Markup is escaped, what cannot be seen or turns the reading direction is named by its code point, and a long text
    is cut, with its length.
    """
    pieces, marks = [], 0
    for character in text[:longest]:
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if category[0] == "C" or category in ("Zl", "Zp") or marks > MOST_MARKS:
            pieces.append(Markup('<span class="code">U+{:04X}</span>').format(ord(character)))
        else:
            pieces.append(Markup.escape(character))
    rest = Markup("… ({:,} characters)").format(len(text)) if len(text) > longest else Markup()
    return Markup('<bdi class="said">{}</bdi>{}').format(Markup().join(pieces), rest)


def short_text(text: str) -> Markup:
    """The two ends of a hash or address; whatever else stands there is treated as a member's words."""
    if re.fullmatch("0x[0-9a-fA-F]{20,64}", text):
        return Markup("{}…{}").format(text[:8], text[-4:])
    return shown(text, 16)


def short_hash(text: str) -> Markup:
    """The same, in the letters of a hash."""
    return Markup('<span class="hash">{}</span>').format(short_text(text))


def whole_hash(text: str) -> Markup:
    """All of a hash or address."""
    if re.fullmatch("0x[0-9a-fA-F]{1,64}", text):
        return Markup('<span class="hash">{}</span>').format(text)
    return shown(text)


def signed(wei: int) -> str:
    """Gwei with its sign, to two decimals."""
    return "+" + short_gwei(wei) if wei > 0 and short_gwei(wei) != "0" else short_gwei(wei)


def column(wei: int | Fraction, decimals: int = 2, sign: bool = False) -> str:
    """Gwei for a column of a table: always as many decimals, so that the points stand below each other."""
    text = f"{float(abs(Fraction(wei, GWEI))):,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    return ("−" if wei < 0 else "+" if sign else "") + text


def rough(wei: int) -> str:
    """An amount in a sentence, with its unit: gwei to two decimals, wei where those would show nothing."""
    return f"{wei:,} wei" if 0 < abs(wei) < GWEI // 100 else f"{short_gwei(wei)} gwei"


def about(wei: int | Fraction) -> str:
    """Gwei of a step in between, to four decimals where they are needed."""
    text = f"{float(abs(Fraction(wei, GWEI))):,.4f}".rstrip("0").rstrip(".")
    return "−" + text if wei < 0 and text != "0" else text


def percent(part: float) -> str:
    """0 … 1, as a percentage to two decimals."""
    return f"{part * 100:.2f}{NBSP}%"


def moment(unix: int) -> str:
    """A time of the chain, UTC; as a number where no calendar has it."""
    try:
        return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(unix)


def counted(number: int, one: str, many: str | None = None) -> str:
    """As in `1 owner`, `2 owners`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def names_of(document: RoundDocument) -> dict[str, str]:
    """As in `owner 1`, `base station 2`, by account."""
    return {
        member.account: f"{side} {number}"
        for side, members in (("owner", document.owners), ("base station", document.base_stations))
        for number, member in enumerate(members, 1)
    }


def anchor_of(name: str) -> str:
    """The id of a member's part of the page."""
    return name.replace(" ", "-")
