"""What members wrote is shown as text, whatever it is."""

import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.report.words import LONGEST, about, column, moment, rough, short_hash, shown, signed, whole_hash
from fl.market.terms import GWEI

ANYTHING = st.text(st.characters(), max_size=3 * LONGEST)
HOSTILE = "</bdi><script>alert(1)</script>\u202egnp.exe\x00\ud800" + "e" + "\u0301" * 40


class Read(HTMLParser):
    """The tags and the text of a piece of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(ANYTHING)
@example(HOSTILE)
def test_shown__any_text__is_text_that_can_be_seen_and_turns_nothing(text: str) -> None:
    for made in (shown(text), short_hash(text), whole_hash(text)):
        read = Read(str(made))
        assert set(read.tags) <= {"bdi", "span"}
        assert not [
            c for c in read.text if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp")
        ]
        str(made).encode("utf-8")  # a lone surrogate would not


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=LONGEST))
def test_shown__plain_text__is_shown_as_it_is(text: str) -> None:
    assert Read(str(shown(text))).text == text


def test_shown__marks_upon_marks__do_not_pile_up() -> None:
    assert Read(str(shown("e" + "\u0301" * 40))).text.count("\u0301") == 2


def test_shown__10_mb__is_cut_with_its_length() -> None:
    made = shown("x" * 10_000_000)
    assert len(made) < 300
    assert "10,000,000 characters" in made


def test_whole_hash__a_hash__stays_whole() -> None:
    digest = "0x" + "ab" * 32
    assert Read(str(whole_hash(digest))).text == digest
    assert Read(str(short_hash(digest))).text == "0xababab…abab"


@pytest.mark.parametrize(
    ("wei", "exact", "rounded"),
    [(0, "0", "0"), (-1, "0", "0"), (1, "0", "0"), (10 * GWEI, "10", "+10"), (-GWEI // 3, "−0.3333", "−0.33")],
)
def test_about__and_signed__say_no_minus_nothing(wei: int, exact: str, rounded: str) -> None:
    assert (about(wei), signed(wei)) == (exact, rounded)


@pytest.mark.parametrize(
    ("wei", "plain", "with_sign"),
    [
        (0, "0.00", "0.00"),
        (-1, "0.00", "0.00"),
        (10 * GWEI, "10.00", "+10.00"),
        (-4_000 * GWEI // 3, "−1,333.33", "−1,333.33"),
    ],
)
def test_column__any_amount__has_two_decimals_and_no_minus_nothing(wei: int, plain: str, with_sign: str) -> None:
    assert (column(wei), column(wei, sign=True)) == (plain, with_sign)
    assert column(GWEI, 4) == "1.0000"


@pytest.mark.parametrize(
    ("wei", "words"), [(0, "0 gwei"), (5, "5 wei"), (GWEI // 100, "0.01 gwei"), (12_316_333_333, "12.32 gwei")]
)
def test_rough__too_little_for_gwei__is_wei(wei: int, words: str) -> None:
    assert rough(wei) == words


def test_moment__beyond_any_calendar__is_a_number() -> None:
    assert moment(1_790_000_000) == "2026-09-21 14:13:20"
    assert moment(2**63) == str(2**63)
