"""The folder that a round leaves its document, models, texts and log in."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from fl.crowdfunding.settings import SettingsError

ROUNDS = Path("rounds")
DOCUMENT, LOG, REPORT = "round.json", "round.log", "report.html"
FOLDERS = ("store", "journals")


@contextmanager
def round_folder(out: str | None) -> Iterator[Path]:
    """A folder that can be written to, with the log in it. A round that fails says what it has left there.

    Args:
        out: the folder; None: one of its own, named by the time.

    Raises:
        SettingsError: it cannot be had, or holds a finished round.
    """
    folder, made = (_own(), True) if out is None else _named(Path(out))
    try:
        with _logging_to(folder / LOG):
            yield folder
    except BaseException as error:
        if made:
            with suppress(OSError):  # removes it if nothing was written yet
                folder.rmdir()
        if folder.exists() and any(folder.iterdir()):
            error.add_note(f"what there is of the round is in {folder}")
        raise


def _own() -> Path:
    """Nobody else's, however many are made in a second."""
    ROUNDS.mkdir(exist_ok=True)
    stem = time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        folder = ROUNDS / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
        number += 1


def _named(folder: Path) -> tuple[Path, bool]:
    if (folder / DOCUMENT).exists():
        raise SettingsError(f"{folder} holds a finished round already: name another folder with --out, or remove it")
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(f"--out {folder} cannot be written to: {error.strerror}") from error
    for name in FOLDERS:
        if (folder / name).exists() and not (folder / name).is_dir():
            raise SettingsError(f"--out {folder} holds a file named {name}, where a folder of that name goes: move it")
    return folder, made


class _RoundLog(logging.FileHandler):
    """Goes on where an earlier round ended; a full disk ends the round, as it would anywhere else."""

    def __init__(self, path: Path):
        super().__init__(path, mode="a", encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))

    def handleError(self, record: logging.LogRecord) -> NoReturn:
        """The error goes on to whoever logged."""
        raise


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    handler = _RoundLog(path)
    logs = [logging.getLogger(name) for name in ("hcfl", "fl")]
    for log in logs:
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        log.propagate = False
    try:
        yield
    finally:
        for log in logs:
            log.removeHandler(handler)
        with suppress(OSError):  # what did not fit on the disk was told when it was written
            handler.close()
