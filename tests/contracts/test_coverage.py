"""Every custom error, event and call of the contract has a test: read off the sources of these tests.

An error counts as tested where `reverts_with("Name", ...)` names it, which also checks its values; an event where
`event("Name")` or a list of names does; a call where it is sent or simulated by its name.
"""

import ast
from functools import cache
from pathlib import Path

from analysis.devnode.market import Market

FOLDER = Path(__file__).parent
SOURCES = sorted(path for path in FOLDER.rglob("test_*.py") if path.name != Path(__file__).name)
DRIVER = FOLDER.parents[1] / "analysis" / "devnode" / "rounds.py"


@cache
def calls_in(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def names_passed_to(method: str, source: str, position: int = 0) -> set[str]:
    """The literal strings that are passed to a method in a source."""
    return {
        argument.value
        for call in calls_in(source)
        if isinstance(call.func, ast.Attribute) and call.func.attr == method
        for argument in call.args[position : position + 1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def passed_in_tests(method: str, position: int = 0) -> set[str]:
    return set().union(*(names_passed_to(method, path.read_text(), position) for path in SOURCES))


def test_errors__each__has_a_test(deployment: Market) -> None:
    untested = deployment.codec.errors - passed_in_tests("reverts_with")
    assert not untested, f"no test expects {sorted(untested)}"


def test_events__each__has_a_test(deployment: Market) -> None:
    untested = deployment.codec.events - passed_in_tests("event")
    assert not untested, f"no test looks at {sorted(untested)}"


def test_calls__each__has_a_test(deployment: Market) -> None:
    driver = DRIVER.read_text()
    named = passed_in_tests("call") | passed_in_tests("view") | names_passed_to("call", driver)
    named |= names_passed_to("view", driver) | {"memberOf", "roundOf", "freeBalance"}
    untested = deployment.codec.functions - named
    assert not untested, f"no test calls {sorted(untested)}"


def test_this_check__what_it_counts__only_the_named_method() -> None:
    """It can fail: an error that is only mentioned, or expected of another method, is not tested."""
    source = """
# NotAMember
call.reverts_with("AlreadyJoined", roundId=1, account="NotAMember")
other.mentions("NotAMember")
call.reverts_with(variable)
"""
    assert names_passed_to("reverts_with", source) == {"AlreadyJoined"}


def test_test_files__each__short_enough_to_read() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in SOURCES}
    assert not {name: count for name, count in lines.items() if count > 300}
