"""Commits, reveals and settlements a second, beside plain transfers on the same node in the same run."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.benchmarks.contract.cases import BATCH, TARGET_MODELS, Case
from analysis.benchmarks.contract.contested_rounds import stage, words_of
from analysis.benchmarks.contract.load import Load, Unsigned, Wallet, run
from analysis.benchmarks.contract.round_gas import GLOBAL_ROUNDS
from analysis.benchmarks.contract.snapshot import Figures
from analysis.devnode.actors import actor
from analysis.devnode.anvil import anvil
from analysis.devnode.deployment import deploy
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, Seat
from analysis.devnode.sources import Artefact
from fl.market.terms import DRAW_DELAY, Role

BLOCK_GAS = 30_000_000
TRANSFER_GAS = 21_000
SETUP_GAS = 500_000  # a call; less than the limit on transactions, so that many fit a block
HOUR_SECONDS, HOUR_BLOCK_SECONDS = 3_600, 12
# Gas that a client allows beyond what a call needed before: a block is full when the next one's limit does not fit.
MARGIN = 1.02


@dataclass(frozen=True)
class Setting:
    """How a node mines: a block every so many seconds of 30M gas, or (None) one without limit as fast as it can."""

    block_seconds: int | None

    def __str__(self) -> str:
        return "no limits" if self.block_seconds is None else f"{self.block_seconds} s blocks, 30M gas"


SETTINGS = (Setting(None), Setting(1), Setting(12))
QUICK_SETTINGS = (Setting(None), Setting(1))
MEMBERS, QUICK_MEMBERS = 4_000, 1_600
TRIES = 2  # more of a load without limits: its time is the machine's, not the clock's, and the fastest counts
STEPS = ("transfer", "commit", "reveal", "settle", f"settle in batches of {BATCH}")


@dataclass(frozen=True)
class Measured:
    """What a node made of one step."""

    setting: Setting
    step: str
    load: Load


Progress = Callable[[Measured], None]


def measure(artefact: Artefact, members: int, settings: Sequence[Setting], say: Progress) -> list[Measured]:
    """Play a round of so many members, ten models, on a fresh node for each setting; its loads are signed transactions.

    Raises:
        LoadError: a node did not take it.
        NodeError: a node does not start.
    """
    results = []
    for setting in settings:
        for result in _on_node(artefact, members, setting):
            say(result)
            results.append(result)
    return results


def _on_node(artefact: Artefact, members: int, setting: Setting) -> Iterator[Measured]:
    with anvil(limited=setting.block_seconds is not None) as chain:
        deployed = deploy(chain, artefact)
        market = Market(chain, deployed.address, deployed.codec, gas=SETUP_GAS)
        wallets = {wallet.account: wallet for wallet in _wallets(members)}
        round_ = stage(market, TARGET_MODELS, members // 2, account_of=lambda name: Wallet.of(name).account)

        def loaded(step: str, load: Sequence[Unsigned]) -> Measured:
            tries = []
            for _ in range(TRIES if setting.block_seconds is None else 0):
                with chain.snapshot():
                    tries.append(run(chain, load, None))
            final = run(chain, load, setting.block_seconds)
            return Measured(setting, step, max([*tries, final], key=lambda tried: tried.a_second))

        def unsigned(seat: Seat, call: Call, gas: int, serves: int = 1) -> Unsigned:
            data = market.codec.call(call.function, call.arguments)
            return Unsigned(wallets[seat.account], market.address, data, gas, serves=serves)

        def each(step: str, call: Callable[[Seat], Call], seats: Sequence[Seat]) -> Measured:
            """The first on each side goes ahead and is not counted; the second tells what gas to allow."""
            first = [seat for seat in seats if seat in (round_.owners[0], round_.stations[0])]
            market.send_all([call(seat) for seat in first])
            # Owners of even number pay a tax: the dearest of the first few.
            gas = max(market.gas_needed(call(seat)) for seat in seats[2:6])
            return loaded(step, [unsigned(s, call(s), int(gas * MARGIN)) for s in seats if s not in first])

        sink = actor("sink")
        yield loaded("transfer", 2 * [Unsigned(w, sink, "0x", TRANSFER_GAS, value=1) for w in wallets.values()])
        market.send_together([round_.join(seat) for seat in round_.members])
        market.send_all([round_.propose(seat, GLOBAL_ROUNDS) for seat in round_.proposers])
        round_.wait_for("join")
        market.send_all([round_.commit_bid(seat) for seat in round_.proposers])
        yield each("commit", round_.commit_bid, [s for s in round_.members if s not in round_.proposers])
        round_.wait_for("commit", DRAW_DELAY)
        round_.send_draw()
        yield each("reveal", round_.reveal_bid, [s for s in round_.members if s != round_.to_be_drawn])
        round_.select().send()
        market.send_together([round_.record_update(seat) for seat in round_.stations])
        for call in (round_.record_global_round(round_.proposers[0]), round_.report_result(round_.proposers[0])):
            call.send()
        round_.wait_for("vote")
        alone = members * 3 // 20  # a side; they fill as many blocks as the others do in batches
        yield each("settle", lambda s: round_.settle(s, sender=s, bids=words_of(round_, s)), _mixed(round_, 0, alone))
        batches = [_mixed(round_, start, start + BATCH // 2) for start in range(alone, members // 2, BATCH // 2)]
        calls = [_settlement(round_, batch) for batch in batches if len(batch) == BATCH]
        wide = Market(chain, market.address, market.codec)
        gas = wide.gas_needed(calls[0])
        senders = round_.members
        batched = [unsigned(senders[i], call, int(gas * MARGIN), serves=BATCH) for i, call in enumerate(calls)]
        yield loaded(STEPS[-1], batched)


def _wallets(members: int) -> list[Wallet]:
    sides = (role.name.lower() for role in (Role.OWNER, Role.BASE_STATION))
    return [Wallet.of(f"{side} {index}") for side in sides for index in range(members // 2)]


def _mixed(round_: LiveRound, start: int, end: int) -> list[Seat]:
    """Owners and base stations of these numbers."""
    return [*round_.owners[start:end], *round_.stations[start:end]]


def _settlement(round_: LiveRound, seats: Sequence[Seat]) -> Call:
    words = [word for seat in seats for word in words_of(round_, seat)]
    return round_.call("settleMany", [seat.account for seat in seats], words, sender=round_.owners[0])


# ── an hour of blocks ──


@dataclass(frozen=True)
class Phase:
    """A phase of a round: how many of its calls a member makes on average, and the gas of one."""

    name: str
    calls: float
    gas: int


@dataclass(frozen=True)
class HourRound:
    """The largest round that an hour's blocks take, and how many of them each phase needs."""

    members: int
    blocks: Mapping[str, int]


def phases(figures: Figures) -> list[Phase]:
    """A round's phases, equal policy, ten models, every account new; half of the members are owners."""

    def gas(call: str, who: str) -> int:
        return figures.hcfl[Case(call, who)][TARGET_MODELS]

    return [
        Phase("join", 1, gas("join", "base station, new, exact value sent")),
        Phase("commit", 1, gas("commitBid", "base station")),
        Phase("draw", 0, gas("drawClaimant", "anyone")),
        Phase("reveal", 1, gas("revealBid", "base station, later")),
        Phase("select", 0, gas("selectModel", "anyone")),
        Phase("record one update", 0.5, gas("recordUpdate", "its first global round")),
        Phase("report", 0, gas("reportResult", "winner")),
        Phase("vote", 0.5, gas("vote", "later")),
        Phase(f"settle in batches of {BATCH}", 1, gas("settleMany", f"a member of {BATCH}, new")),
    ]


def largest_round(steps: Sequence[Phase], fill: float) -> HourRound:
    """The largest round whose phases follow each other within an hour of 12 s blocks, each at least a block.

    Args:
        steps: the phases.
        fill: what part of a block's 30M gas is used when more is waiting.
    """
    available = HOUR_SECONDS // HOUR_BLOCK_SECONDS

    def blocks(members: int) -> dict[str, int]:
        room = BLOCK_GAS * fill
        return {s.name: max(1, math.ceil(members * s.calls * s.gas / room)) for s in steps}

    low, high = 0, available * BLOCK_GAS // TRANSFER_GAS
    while low < high:
        middle = (low + high + 1) // 2
        if sum(blocks(middle).values()) <= available:
            low = middle
        else:
            high = middle - 1
    return HourRound(low, blocks(low))
