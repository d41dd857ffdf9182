"""`contracts/attacks.md`: what it names exists, and no test of an attack is missing from it."""

import re
from pathlib import Path

from tests.support.pages import ROOT, Page, names_in

FOLDER = Path(__file__).parent
PAGE = Page(ROOT / "contracts" / "attacks.md", tests=FOLDER)


def test_page__tests_that_it_names__exist() -> None:
    assert len(PAGE.named_tests) > 100
    assert not PAGE.missing_tests()


def test_page__code_that_it_names__is_where_it_says() -> None:
    assert len(PAGE.named_code) > 50
    assert not PAGE.missing_code()


def test_page__attacks_that_have_a_test__are_all_on_it() -> None:
    files = [path for path in FOLDER.glob("test_*.py") if path != Path(__file__)]
    ours = {(path.name, name) for path in files for name in names_in(path) if name.startswith("test_")}
    forgotten = ours - set(PAGE.named_tests)
    assert not forgotten, f"not in contracts/attacks.md: {sorted(forgotten)}"


def test_page__every_row__ends_with_a_test_or_is_not_stopped() -> None:
    bare = [row for row in PAGE.rows(before="## Not stopped") if not re.search(r"::test_\w+`$", row[-1])]
    assert not bare, f"rows without a test: {bare}"
    assert len(PAGE.rows(after="## Not stopped")) > 3
