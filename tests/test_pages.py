"""Every page of the repository: its links lead somewhere, and it shows every picture that is committed."""

import re
import subprocess

import pytest

from tests.support.pages import ROOT, Page

TRACKED = [ROOT / name for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()]
PAGES = [Page(path) for path in TRACKED if path.suffix == ".md" and path.exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path.relative_to(ROOT)))
def test_links__each_page__lead_to_a_file_and_its_heading(page: Page) -> None:
    assert not page.missing_files() + page.missing_headings()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path.relative_to(ROOT)))
def test_files__that_each_page_names_from_the_root__are_there(page: Page) -> None:
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isalpha())
    named = re.findall(rf"`((?:{folders})/[\w/.-]+\.(?:py|sol|md|json|yaml|html|js))\b", page.text)
    assert not [name for name in named if not (ROOT / name).exists()]


def test_pictures__committed__are_shown_by_a_page() -> None:
    shown = {(page.path.parent / target).resolve() for page in PAGES for _, target in page.links}
    pictures = {path for path in TRACKED if path.suffix in (".svg", ".png", ".jpg") and path.exists()}
    assert pictures, "no picture is committed: this test looks at nothing"
    assert pictures <= shown, "no page shows these"
