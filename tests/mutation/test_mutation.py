"""The mutation check's own arithmetic; the check itself is part of `make prove`."""

from pathlib import Path

import pytest

from tests.mutation.__main__ import fault_of
from tests.mutation.mutants import Mutant, read_mutants
from tests.mutation.report import code, fingerprint, read, score, write
from tests.mutation.workshop import ROOT, Verdict, last_commit

SOURCE = 'contract A {\n    string s = "// no comment";\n    uint256 x = 2;\n}\n'


def contracts_in(folder: Path, source: str) -> str:
    (folder / "contracts").mkdir(parents=True)
    (folder / "contracts" / "A.sol").write_text(source, encoding="utf-8")
    return fingerprint(folder)


@pytest.mark.parametrize(
    "changed",
    [
        SOURCE.replace("    uint", "    // slither-disable-next-line all\n    uint"),
        SOURCE.replace("x = 2;", "x = /* two */ 2; // two"),
        "/* over\n two lines */\n" + SOURCE.replace("    ", "\t"),
    ],
)
def test_fingerprint__comments_and_blanks_changed__is_the_same(tmp_path: Path, changed: str) -> None:
    assert contracts_in(tmp_path / "before", SOURCE) == contracts_in(tmp_path / "after", changed)


@pytest.mark.parametrize("changed", [SOURCE.replace("2", "3"), SOURCE.replace("// no", "// a"), SOURCE + SOURCE])
def test_fingerprint__code_or_text_changed__is_another(tmp_path: Path, changed: str) -> None:
    assert contracts_in(tmp_path / "before", SOURCE) != contracts_in(tmp_path / "after", changed)


def test_code__of_every_contract__has_no_comment() -> None:
    for path in (ROOT / "contracts").glob("*.sol"):
        bare = code(path.read_text(encoding="utf-8"))
        assert bare.startswith("pragma solidity")
        assert not {"//", "/*", "///"} & set(bare.split())


def test_read__results_written__caught_ones_come_back_survivors_do_not(tmp_path: Path) -> None:
    caught, survivor, new = read_mutants()[:3]
    verdicts = [Verdict(caught, "test_settle.py::test_it", 1.0), Verdict(survivor, None, 1.0)]
    write(verdicts, 3, "these contracts", tmp_path)

    known = read([caught, survivor, new], "these contracts", tmp_path)

    assert [(verdict.mutant, verdict.caught_by) for verdict in known] == [(caught, "test_settle.py::test_it")]
    assert read([caught], "other contracts", tmp_path) == []
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "1 of 2 are caught (50.0%). The lists hold 3" in page
    assert score(verdicts) == 0.5


def test_mutants__every_one_listed__can_be_made() -> None:
    mutants: list[Mutant] = read_mutants()
    assert len(mutants) > 30
    for mutant in mutants:
        assert mutant.changed(ROOT) != (ROOT / mutant.file).read_text(encoding="utf-8")


SENDS = "if (!sent) revert TransferFailed(to, amount);"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (SENDS, "sent;", None),
        (SENDS, "seen;", "DeclarationError"),
        (SENDS, f"{SENDS} // or so", "changes nothing"),
        ("if (unheard of)", "", "0 times"),
    ],
)
def test_fault_of__mutant__says_whether_it_can_tell_anything(old: str, new: str, said: str | None) -> None:
    fault = fault_of(Mutant("contracts/Escrow.sol", old, new, "", ()))
    assert fault is None if said is None else said in (fault or "")


def test_last_commit__copy__has_the_sources(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    last_commit(tmp_path / "commit")
    assert (tmp_path / "commit" / "contracts" / "HCFL.sol").is_file()
