"""Every custom error of the contract in words."""

import re

import pytest
from ethpm_types.abi import ErrorABI

from fl.market.refusals import WORDS, explain


@pytest.fixture(scope="module")
def errors(project) -> list[ErrorABI]:
    return list(project.HCFL.contract_type.errors)


def test_explain__every_error_of_the_contract__has_words(errors: list[ErrorABI]) -> None:
    assert {error.name for error in errors} == set(WORDS)


def test_explain__every_error__says_its_values(errors: list[ErrorABI]) -> None:
    for error in errors:
        values = {parameter.name: 1 for parameter in error.inputs}
        words = explain(error.name, values)
        assert not re.search(r"[{}]", words), f"{error.name}: {words}"


def test_explain__wrong_status__names_both() -> None:
    words = explain("WrongStatus", {"roundId": 7, "actual": 4, "required": 1})
    assert words == "round 7 is training, and this call needs it to be open"


def test_explain__unknown_error__shows_name_and_values() -> None:
    assert explain("Novel", {"a": 1, "b": 2}) == "Novel(a=1, b=2)"
