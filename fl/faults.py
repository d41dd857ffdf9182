"""What is not the program's fault: a wrong option, a full disk, a node that is gone."""


class Fault(Exception):
    """Base class of what the user or the surroundings got wrong; the text says what, and what to do."""


def line_of(error: BaseException) -> str:
    """An error and its notes as one line, with nothing in it that a terminal obeys: others may have written parts."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    line = "; ".join(" ".join(part.split()) for part in (text, *getattr(error, "__notes__", ())))
    return line if line.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in line)
