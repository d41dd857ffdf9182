"""A member whose account is a contract, driven from Python."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.devnode.codec import Codec, Failure
from analysis.devnode.market import Call, Market

Step = tuple[int, bytes]  # value in wei, calldata


@dataclass(frozen=True)
class Outcome:
    """What became of a call that a contract made: why it failed, or None."""

    call: Call
    failure: Failure | None


class ContractMember:
    """An account that has been given the code of `contracts/test/attackers/ContractMember.sol`."""

    def __init__(self, market: Market, account: str, codec: Codec) -> None:
        self.market = market
        self.account = account
        # Same address, both interfaces: the events of the contract that it calls are decoded, too.
        self._own = Market(market.chain, account, codec)
        self._armed: list[Call] = []

    def arm(self, calls: Sequence[Call]) -> None:
        """Make it send these calls the next time it is paid."""
        self._armed = list(calls)
        self._own.call("arm", self.market.address, self._steps(calls), sender=self.account).send()

    def run(self, calls: Sequence[Call], signer: str | None = None) -> Call:
        """All calls in one transaction, which fails as the first that fails; signed by the member unless said."""
        return self._own.call("run", self.market.address, self._steps(calls), sender=signer or self.account)

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of the calls it was armed with; fewer than those if it was not paid."""
        told = self._own.view("outcomes")
        failures = [None if o.success else self.market.codec.failure("0x" + o.returned.hex()) for o in told]
        return [Outcome(call, failure) for call, failure in zip(self._armed, failures, strict=False)]

    @property
    def held_when_paid(self) -> int:
        """What the contract that paid it held while it did, wei."""
        held: int = self._own.view("heldWhenPaid")
        return held

    @property
    def payments(self) -> int:
        """How often it was paid."""
        count: int = self._own.view("payments")
        return count

    def _steps(self, calls: Sequence[Call]) -> list[Step]:
        codec = self.market.codec
        return [(call.value, bytes.fromhex(codec.call(call.function, call.arguments)[2:])) for call in calls]
