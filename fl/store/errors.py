"""What the store refuses, each with a text of one line that says what to do."""

from fl.faults import Fault, line_of


class StoreError(Fault):
    """Base class of everything this package raises on bad input or a store that does not do as it should."""


class Missing(StoreError):
    """Nothing is stored under this name."""


class TooLarge(StoreError):
    """What is stored has more bytes than its reader takes."""


class Corrupt(StoreError):
    """What is stored under a digest has another SHA-256."""


class Refused(StoreError):
    """The store did not take or give a file and will not: a full disk, no permission, a wrong address."""


class Forbidden(Refused):
    """The store does not let this member do it: a file that is another's, or credentials that hold no more."""


class Unreachable(StoreError):
    """The store did not answer, however often it was tried."""


class ViewError(StoreError):
    """A text, key card, statement or sealed file that is not what it claims to be. Its sender has to mend it."""


def one_line(error: Exception, most: int = 300) -> str:
    """What is wrong with something that somebody else sent: they may have written part of it."""
    text = line_of(error)
    return text if len(text) <= most else f"{text[:most]}…"


def shown(value: object, most: int = 60) -> str:
    """What somebody else sent, for an error: one line, cut where it is long."""
    if isinstance(value, str | bytes):
        value = value[: most + 1]
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
