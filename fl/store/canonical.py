"""JSON in one form, so that equal documents are equal bytes in every language.

Keys sorted, no spaces, UTF-8, only the escapes that JSON needs (as RFC 8785). No fractions: a number is an integer of
at most 2^53, or a decimal string.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from fl.store.errors import ViewError, shown

MOST_BRACKETS = 100
MOST_EXACT = 2**53
"""Every JSON reader has integers up to this exactly."""


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as bytes.

    Raises:
        ViewError: it holds text that is no Unicode (a lone surrogate).
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ViewError(f"this text is no Unicode: {shown(text)}") from None


def decode(data: bytes, what: str, names: Collection[str], most: int, optional: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a document that anybody may have written. Whatever it is, its reader gets one kind of error.

    Args:
        data: the document.
        what: how to call it.
        names: the fields that it must have, and no others.
        most: bytes that are looked at; a longer one is refused unread.
        optional: the fields that it may have besides.

    Raises:
        ViewError: it is too long, no JSON object with these fields, or not in canonical form (as where a field is there
            twice).
    """
    if len(data) > most:
        raise ViewError(f"this {what} has {len(data):,} bytes: at most {most:,} are read")
    # JSON that is nested deep ends Python's reader in an error, or the process.
    if data.count(b"[") + data.count(b"{") > MOST_BRACKETS:
        raise ViewError(f"this {what} has more than {MOST_BRACKETS} brackets")
    try:
        document = json.loads(data.decode(), parse_float=_refuse, parse_constant=_refuse)
        canonical = isinstance(document, dict) and encode(document) == data
    except ValueError as error:
        raise ViewError(f"this {what} is no JSON: {shown(str(error), 120)}") from None
    if not isinstance(document, dict):
        raise ViewError(f"this {what} is no object in JSON")
    if set(document) - set(optional) != set(names):
        raise ViewError(f"this {what} has the fields {shown(sorted(document))}, not {', '.join(sorted(names))}")
    if not canonical:
        raise ViewError(f"this {what} is not in canonical form: keys sorted and once each, no spaces")
    return document


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is no integer: fractions are decimal strings")
