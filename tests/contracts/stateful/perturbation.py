"""A call with one thing changed, so that it is mostly wrong."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any

from eth_abi.exceptions import EncodingError
from hypothesis import strategies as st

from analysis.devnode.market import Call
from analysis.mechanism import CONTRIBUTION_ONE, MAX_POINTS

Draw = Callable[..., Any]

# Each is just beyond some limit, or at its end.
NUMBERS = (0, 1, 10_001, CONTRIBUTION_ONE, MAX_POINTS, 2**64 + 1)
PAYABLE = ("join", "joinAndCommit")
SENDER, VALUE = -2, -1  # besides the arguments' places


def perturbed(call: Call, accounts: Sequence[str], draw: Draw) -> Call:
    """The call with another sender, value or argument; at times the very same."""
    place = draw(st.integers(SENDER, len(call.arguments) - 1), label="what is wrong")
    if place == SENDER:
        return replace(call, sender=draw(st.sampled_from(accounts)))
    if place == VALUE:
        values = (0, 1, max(0, call.value - 1), call.value + 1)
        return replace(call, value=draw(st.sampled_from(values))) if call.function in PAYABLE else call
    arguments = list(call.arguments)
    arguments[place] = another(arguments[place], accounts, draw)
    changed = replace(call, arguments=tuple(arguments))
    try:
        call.market.codec.call(changed.function, changed.arguments)
    except EncodingError:
        return call  # the interface has no such value
    return changed


def another(value: Any, accounts: Sequence[str], draw: Draw) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case IntEnum():
            return draw(st.sampled_from(list(type(value))))
        case int():
            return draw(st.sampled_from((*NUMBERS, value + 1, max(0, value - 1))))
        case bytes():
            return draw(st.sampled_from((bytes(len(value)), bytes([value[0] ^ 1]) + value[1:])))
        case str():
            return draw(st.sampled_from(accounts))
        case tuple():
            at = draw(st.integers(0, len(value) - 1))
            return (*value[:at], another(value[at], accounts, draw), *value[at + 1 :])
        case []:
            return []
        case [first, *others]:
            longer, other_first = [*value, first], [another(first, accounts, draw), *others]
            return draw(st.sampled_from((value[:-1], longer, other_first, value[::-1])))
    raise TypeError(f"no other {value!r}")
