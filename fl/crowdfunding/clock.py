"""Waiting for a deadline: a development node is moved ahead, on any other the time has to pass."""

import time

from ape.api import ProviderAPI, TestProviderAPI
from ape.managers.chain import ChainManager


class Clock:
    """The chain's time."""

    def __init__(self, chain: ChainManager, provider: ProviderAPI):
        self._chain = chain
        self._provider = provider

    @property
    def now(self) -> int:
        """Unix time of the block that a call would be mined in."""
        return int(self._chain.pending_timestamp)

    def wait_until(self, deadline: int) -> None:
        """Return once a block at or after the deadline can be mined."""
        if self.now >= deadline:
            return
        if isinstance(self._provider, TestProviderAPI):
            self._chain.mine(timestamp=deadline)
            return
        while (left := deadline - self.now) > 0:
            time.sleep(min(left, 5))
