"""Cases of gas, the sheet that collects them, and what they are held to: targets, floors and other contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.devnode.chain import Receipt
from analysis.devnode.market import Call

MODELS = (1, 10, 32)
TARGET_MODELS = 10
BATCH = 50


@dataclass(frozen=True, order=True)
class Case:
    """What a figure is of.

    Attributes:
        call: the contract's function.
        who: who calls, or is settled, and what it has there already: a *new* account has no free balance yet, a
            *returning* one has; *first* and *later* are said of its side.
    """

    call: str
    who: str

    def __str__(self) -> str:
        return f"{self.call}: {self.who}"


@dataclass
class Sheet:
    """Collects the gas of real receipts by case."""

    gas: dict[Case, int] = field(default_factory=dict)

    def take(self, call: Call, who: str, *, members: int = 1) -> Receipt:
        """Send a call and note its gas, divided by the members that it serves.

        Raises:
            ValueError: there is a figure of that case already.
        """
        receipt = call.send()
        self.note(call, who, receipt.gas_used // members)
        return receipt

    def note(self, call: Call, who: str, gas: int) -> None:
        """Note the gas of a call that was sent."""
        case = Case(call.function, who)
        if case in self.gas:
            raise ValueError(f"{case} is measured twice")
        self.gas[case] = gas


@dataclass(frozen=True)
class Comparison:
    """What others take for the same step, ten models."""

    gas: int
    what: str


# Gas at ten models that is aimed at.
TARGETS: Mapping[Case, int] = {
    Case("createRound", "anyone"): 160_000,
    Case("commitBid", "owner"): 35_500,
    Case("commitBid", "base station"): 35_500,
    Case("joinAndCommit", "new, exact value sent"): 70_000,
    Case("drawClaimant", "anyone"): 40_000,
    **{
        Case("revealBid", f"{side}, {order}{policy}"): gas
        for policy in ("", "; capability")
        for side in ("owner", "base station")
        for order, gas in (("first", 103_000), ("later", 51_000))
    },
    Case("selectModel", "anyone"): 58_000,
    Case("recordUpdate", "its first global round"): 36_000,
    Case("recordUpdate", "a later global round"): 33_000,
    Case("recordGlobalRound", "first"): 34_000,
    Case("recordGlobalRound", "later"): 34_000,
    Case("vote", "first"): 35_500,
    Case("vote", "later"): 35_500,
    **{
        Case("settle", f"{side}, returning, {tax}"): gas
        for side in ("owner", "base station")
        for tax, gas in (("no tax", 69_000), ("later tax", 74_000))
    },
    Case("settleMany", f"a member of {BATCH}, returning"): 19_000,
    Case("settleMany", f"a member of {BATCH}, new"): 36_000,
    Case("claimLot", "returning"): 44_500,
}

# Of a whole round of 2,000 members, ten models, gas for each member.
ROUND_MEMBERS, ROUND_TARGET = 2_000, 228_000

# Targets that are not met, with the reason.
ABOVE: Mapping[Case, str] = {}

# Measured once, by hand, on anvil 1.7.1 with contracts that do this step and nothing else.
FLOORS: Mapping[str, Comparison] = {
    "commitBid": Comparison(44_041, "one new slot"),
    "revealBid": Comparison(46_184, "10 packed bids, a hash check, three sums, own flag"),
    "vote": Comparison(33_233, "a flag, a counter, an event"),
    "selectModel": Comparison(51_800, "from sums, at 20 and at 800 members"),
    "settle": Comparison(55_255, "bids hashed again, own tax, paid"),
}

# The best public contracts for the step, measured likewise.
PEERS: Mapping[str, Comparison] = {
    "commitBid": Comparison(57_860, "auction-zoo, one scalar bid with collateral"),
    "revealBid": Comparison(47_099, "auction-zoo, one bid"),
    "selectModel": Comparison(46_108_622, "a commit-reveal VCG auction, 400 bidders"),
    "settle": Comparison(34_694, "auction-zoo, plain refund"),
}
