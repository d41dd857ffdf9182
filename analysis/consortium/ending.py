"""How the programs here end: what is not their fault in one line."""

import sys
from collections.abc import Callable

from fl.faults import Fault, line_of


def ending(play: Callable[[], int]) -> int:
    """Run a program; its exit status, 1 where it could not go on, 130 where somebody interrupted it."""
    try:
        return play()
    except Fault as error:
        print(f"Error: {line_of(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Error: interrupted", file=sys.stderr)
        return 130
