"""What is not the program's fault: a wrong option, a full disk, a node that is gone."""


class Fault(Exception):
    """Base class of what the user or the surroundings got wrong; the text says what, and what to do."""


def line_of(error: BaseException) -> str:
    """An error and its notes as one line."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return "; ".join(" ".join(part.split()) for part in (text, *getattr(error, "__notes__", ())))
