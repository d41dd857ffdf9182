"""`contracts/attacks.md`: what it names exists, and no test of an attack is missing from it."""

import ast
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
CONTRACTS = FOLDER.parents[2] / "contracts"
PAGE = (CONTRACTS / "attacks.md").read_text(encoding="utf-8")
NAMED_TESTS = re.findall(r"`((?:\.\./)?test_\w+\.py)::(test_\w+)`", PAGE)
NAMED_CODE = re.findall(r"\[`(\w+)(?:\.(\w+))?`\]\(([\w/]+\.sol)\)", PAGE)


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_page__tests_that_it_names__exist() -> None:
    assert len(NAMED_TESTS) > 100
    missing = [f"{file}::{name}" for file, name in NAMED_TESTS if name not in names_in(FOLDER / file)]
    assert not missing, f"no such tests: {missing}"


def test_page__code_that_it_names__is_where_it_says() -> None:
    assert len(NAMED_CODE) > 50
    for owner, member, file in NAMED_CODE:
        source = (CONTRACTS / file).read_text(encoding="utf-8")
        named = rf"(contract|library|type|struct) {owner}(Library)?\b"
        assert re.search(named, source), f"{file} has no {owner}"
        assert not member or re.search(rf"function {member}\(", source), f"{file} has no function {member}"


def test_page__attacks_that_have_a_test__are_all_on_it() -> None:
    ours = {(path.name, name) for path in FOLDER.glob("test_*.py") if path != Path(__file__) for name in names_in(path)}
    forgotten = ours - set(NAMED_TESTS)
    assert not forgotten, f"not in contracts/attacks.md: {sorted(forgotten)}"


def test_page__every_row__ends_with_a_test_or_is_not_stopped() -> None:
    stopped, not_stopped = PAGE.split("## Not stopped")
    rows = [line for line in stopped.splitlines() if re.match(r"\| (?!attack|word)", line)]
    bare = [row for row in rows if not re.search(r"::test_\w+` \|$", row)]
    assert not bare, f"rows without a test: {bare}"
    assert not_stopped.count("\n| ") > 3
