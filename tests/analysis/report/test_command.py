"""`ape run report`: what it reads, where it writes, and one line for what it cannot."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analysis.report.command import report
from analysis.report.sample import document_of_facts
from fl.faults import Fault
from fl.members.access import Access
from fl.record.document import write
from scripts.report import cli
from tests.support.rounds import SETTLED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a finished round in it."""
    write(document_of_facts(SETTLED), tmp_path / "round.json")
    return tmp_path


@pytest.mark.parametrize("name", [".", "round.json"])
def test_report__a_finished_round__lies_beside_its_document(folder: Path, name: str) -> None:
    page = report(str(folder / name), Access(), None)
    assert page == folder / "report.html"
    assert "agree with the reference to the wei" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "round.json"], "no part is left"


def test_report__out__is_where_it_is_written(folder: Path) -> None:
    done = CliRunner().invoke(cli, [str(folder), "--out", str(folder / "page.html")])
    assert (done.exit_code, done.output) == (0, f"Written: {folder / 'page.html'}\n")
    assert (folder / "page.html").exists()


@pytest.mark.parametrize(
    ("round_", "contract", "words"),
    [
        ("nothing", None, "nothing is not there: name a round.json"),
        ("7", None, "no node is named"),
        ("{folder}", "0x" + "11" * 20, "leave one out"),
        ("{folder}/broken.json", None, "Expecting value"),
        ("{folder}/old.json", None, "format 1, and format 2 is read here"),
    ],
)
def test_report__no_round__one_line(folder: Path, round_: str, contract: str | None, words: str) -> None:
    (folder / "broken.json").write_text("", encoding="utf-8")
    (folder / "old.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Fault, match=words) as found:
        report(round_.format(folder=folder), Access(contract=contract), None)
    assert "\n" not in str(found.value)


def test_report__a_folder_that_cannot_be_written__is_an_error_of_the_system(folder: Path) -> None:
    with pytest.raises(OSError):
        report(str(folder), Access(), folder / "nowhere" / "page.html")


def test_cli__help__says_what_a_round_is() -> None:
    done: Any = CliRunner().invoke(cli, ["--help"])
    assert done.exit_code == 0
    assert "ROUND is a round.json" in done.output
