"""Gas by the number of members: the same calls in a small and a large round, and where the naive contract ends."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from analysis.benchmarks.contract.figures import Case
from analysis.benchmarks.contract.stage import stage
from analysis.benchmarks.contract.whole import ALONE, RoundGas, models_of, play, play_naive, until_settlement
from analysis.devnode.chain import TRANSACTION_GAS, RpcError
from analysis.devnode.market import Market

SMALL, LARGE = 20, 2_000
BLOCK_GAS = 30_000_000
LIMITS = {"a transaction (2^24)": TRANSACTION_GAS, "a block of 30M": BLOCK_GAS}
SIZES = (8, 12, 20, 40, 80, 160, 320, 640, 1_280, 2_000)
STEP = 4  # members: both sides grow by an even number
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Growth:
    """The dearest transaction of one kind in a small and in a large round, gas."""

    case: Case
    small: int
    large: int
    transactions: int

    @property
    def ratio(self) -> float:
        return self.large / self.small


def compare(market: Market, small: int = SMALL, large: int = LARGE, say: Progress = print) -> list[Growth]:
    """Play a round of each size and set the same cases beside each other.

    Like is compared with like: bids and salts have as many zero bytes, the same slots are written for the first time,
    batches have the same size, and about half of the members of both rounds pay a tax.

    Raises:
        ValueError: one of the rounds has a case that the other has not.
    """
    batch = small - 2 * ALONE
    rounds = []
    for members in (small, large):
        say(f"a round of {members:,} members")
        rounds.append(play(market, members, alone=ALONE, batch=batch).tallies)
    if unmatched := rounds[0].keys() ^ rounds[1].keys():
        raise ValueError(f"only one of the rounds has {', '.join(map(str, sorted(unmatched)))}")
    return [
        Growth(case, tally.largest, rounds[1][case].largest, rounds[1][case].transactions)
        for case, tally in rounds[0].items()
    ]


@dataclass(frozen=True)
class Fit:
    """Where the naive contract stops.

    Attributes:
        limit: gas.
        members: the largest round that was settled within the limit.
        gas: what that took.
        fails_at: the smallest round whose settlement ran out of gas, four members more.
    """

    limit: int
    members: int
    gas: int
    fails_at: int


def largest_naive_round(hcfl: Market, naive: Market, limit: int, guess: int, say: Progress = print) -> Fit:
    """Try rounds from `guess` on until one settles within the limit and one four members larger does not.

    Args:
        hcfl: the contract whose terms are copied, on a node without limits.
        naive: the naive contract on the same node.
        limit: gas that the settlement is sent with.
        guess: members to begin with.
        say: told of each round that is tried.
    """
    tried: dict[int, int | None] = {}
    members = max(2 * STEP, guess // STEP * STEP)
    while True:
        if members not in tried:
            tried[members] = _settlement_within(hcfl, naive, limit, members)
            outcome = "runs out of gas" if tried[members] is None else f"takes {tried[members]:,} gas"
            say(f"naive, {members:,} members, {limit:,} gas at most: {outcome}")
        fits = tried[members]
        if fits is None:
            members -= STEP
        elif members + STEP in tried:
            return Fit(limit, members, fits, members + STEP)
        else:
            members += STEP


def _settlement_within(hcfl: Market, naive: Market, limit: int, members: int) -> int | None:
    """The gas of a settlement that may take no more than `limit`; None if it runs out."""
    chain = hcfl.chain
    within = Market(chain, naive.address, naive.codec, gas=limit)
    with chain.snapshot():
        _, round_ = until_settlement(naive, stage(hcfl, models_of(members), members // 2))
        try:
            return replace(round_.settle(), market=within).send().gas_used
        except RpcError as error:
            if "OutOfGas" not in str(error):
                raise
            return None


@dataclass(frozen=True)
class Pair:
    """A round of one size on both contracts."""

    hcfl: RoundGas
    naive: RoundGas


def by_size(hcfl: Market, naive: Market, sizes: Iterable[int] = SIZES, say: Progress = print) -> list[Pair]:
    """Whole rounds of each size on both contracts; the naive one needs a node without limits."""
    pairs = []
    for members in sizes:
        ours = play(hcfl, members)
        with hcfl.chain.snapshot():
            theirs = play_naive(naive, stage(hcfl, models_of(members), members // 2))
        say(f"{members:,} members: HCFL {ours.gas:,}, naive {theirs.gas:,} gas")
        pairs.append(Pair(ours, theirs))
    return pairs


def guess_members(pairs: list[Pair], limit: int) -> int:
    """About how many members the naive settlement can have: the line through the two largest rounds below the limit."""
    below = [pair.naive for pair in pairs if pair.naive.largest <= limit][-2:]
    (first, second) = below
    slope = (second.largest - first.largest) / (second.members - first.members)
    return int(second.members + (limit - second.largest) / slope)
