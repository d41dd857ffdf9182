"""Files that are whole or not there, whatever happens while they are written."""

import os
import secrets
from pathlib import Path

UNFINISHED = ".put-"
"""What the name of a file begins with that is not whole yet; one that a crash left can be removed."""


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file in place of what is there; on the disk when this returns.

    Args:
        path: the file.
        data: what it is to hold.
        mode: who may do what with it, less the process's mask.

    Raises:
        OSError: it could not be; what was there is as it was.
    """
    new = path.with_name(UNFINISHED + secrets.token_hex(8))
    try:
        new.touch(mode, exist_ok=False)
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else the name may be gone after a power cut
    finally:
        os.close(folder)
