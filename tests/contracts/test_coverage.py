"""Every custom error, event and call of the contract has a test, every error of each call: read off these sources.

An error counts as tested where `reverts_with("Name", ...)` names it, which also checks its values; an event where
`event("Name")` or a list of names does; a call where it is sent or simulated by its name. Which errors a call has the
rules of the random walks say (`stateful/rules.py`), which fail if the contract knows another.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from analysis.devnode.market import Market
from tests.contracts.stateful import rules
from tests.support.reverts import errors_of_rule, reverts_in

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


@pytest.mark.parametrize("function", sorted(rules.RULES))
def test_errors__of_each_call__have_a_test(function: str) -> None:
    """Not only that the error is tested somewhere: that this call fails with it, and with what values."""
    tested = {error for path in SOURCES for call, error in reverts_in(path, DRIVER) if call == function}
    known = errors_of_rule(rules.RULES[function]) | ({"UnknownRound"} if function != "claimLot" else set())
    untested = known - tested
    assert not untested, f"no test expects {function} to fail with {sorted(untested)}"


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


def test_this_check__of_reverts__knows_which_call_each_is_about(tmp_path: Path) -> None:
    source = tmp_path / "test_source.py"
    source.write_text("""
def made(round_):
    return round_.vote(alice)

def test_one(round_):
    round_.wait_for("join").draw().reverts_with("AlreadyDrawn", roundId=1)
    again = market.call("settle", 1)
    again.reverts_with("NotAMember")
    for call in (round_.select(), made(round_)):
        call.reverts_with("UnknownRound")
    again.mentions("WrongBids")
""")
    assert reverts_in(source, DRIVER) == {
        ("drawClaimant", "AlreadyDrawn"),
        ("settle", "NotAMember"),
        ("selectModel", "UnknownRound"),
        ("vote", "UnknownRound"),
    }
    assert errors_of_rule(rules.RULES["settle"]) == {"NotAMember", "WrongBidLength", "SettlementNotOpen", "WrongBids"}


def test_test_files__each__short_enough_to_read() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in SOURCES}
    assert not {name: count for name, count in lines.items() if count > 300}
