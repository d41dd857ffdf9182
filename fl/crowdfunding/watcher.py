"""Who looks on while a round is played."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("hcfl")


class Watcher:
    """Writes what happens into the log; `fl.crowdfunding.show` also shows it."""

    def phase(self, title: str, detail: str) -> None:
        """A phase begins."""
        log.info("== %s: %s", title, detail)

    def did(self, who: str, what: str) -> None:
        """A member did something."""
        log.info("%s %s", who, what)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """Something of `total` steps; the value is called after each."""
        yield lambda: None
