"""Waiting for a deadline: a development node is moved ahead, on any other the time has to pass."""

import logging
import time

from ape.api import ProviderAPI
from ape.managers.chain import ChainManager

from fl.market.client import asking

log = logging.getLogger("hcfl")


class Clock:
    """The chain's time."""

    def __init__(self, chain: ChainManager, provider: ProviderAPI):
        self._chain = chain
        self._provider = provider
        self._movable = "anvil" in str(provider.make_request("web3_clientVersion", [])).lower()

    @property
    def now(self) -> int:
        """Unix time of the block that a call would be mined in, or a little less."""
        with asking("read the clock"):
            return int(self._chain.pending_timestamp)

    def wait_until(self, deadline: int) -> None:
        """Return once a call would be mined at or after the deadline."""
        if (left := deadline - self.now) <= 0:
            return
        if self._movable:
            with asking("move the clock"):
                self._provider.make_request("evm_setNextBlockTimestamp", [deadline])
                self._provider.make_request("evm_mine", [])
            return
        log.info("waiting %d s for a deadline", left)
        while (left := deadline - self.now) > 0:
            time.sleep(min(left, 5))
