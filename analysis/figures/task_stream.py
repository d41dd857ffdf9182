"""Crowdfunding tasks that arrive at a steady rate, as one stream of signed transactions.

A task is a whole round. Where tasks keep arriving, at any moment one round is being created, an older one joined, a
still older one revealed, and so on. So what stands for a task in the stream is one step of each of twelve rounds of
different ages: together every call of one round, but none of them has to wait for another.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analysis.benchmarks.contract.contested_rounds import stage, terms, words_of
from analysis.benchmarks.contract.load import Unsigned, Wallet, signed
from analysis.benchmarks.contract.throughput import MARGIN
from analysis.devnode.actors import FUNDS
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, draw_together
from fl.market.terms import DRAW_DELAY

MODELS = MEMBERS_A_SIDE = 10  # as in the paper's experiments

Step = Callable[[LiveRound], list[Call]]
STEPS: Mapping[str, Step] = {
    "join": lambda r: [*map(r.join, r.members)],
    "propose": lambda r: [r.propose(seat, 1) for seat in r.proposers],
    "commit": lambda r: [*map(r.commit_bid, r.members)],
    "draw": lambda r: [r.draw()],
    "reveal": lambda r: [r.reveal_bid(seat) for seat in r.members if seat != r.to_be_drawn],
    "select": lambda r: [r.select()],
    "record": lambda r: [*map(r.record_update, r.stations), r.record_global_round(r.proposers[0])],
    "report": lambda r: [r.report_result(r.proposers[0])],
    "vote": lambda r: [*map(r.vote, r.owners[1:])],
    "settle": lambda r: [_settlement(r)],
    "claim": lambda r: [r.claim_lot(r.to_be_drawn)],
}
"""After its creation, what a round takes: one global round of training, everybody honest."""

_OLD = tuple(STEPS)[3:]  # of rounds whose bids are all committed


@dataclass(frozen=True)
class Stream:
    """Tasks, one after the other.

    Attributes:
        raw: signed transactions, `each` a task, hex.
        each: transactions a task.
        gas: a task, of receipts.
        events: that a task leaves.
        sign_seconds: of a core, that it took to sign a transaction.
    """

    raw: tuple[str, ...]
    each: int
    gas: int
    events: int
    sign_seconds: float


def prepare(market: Market, tasks: int) -> Stream:
    """Play rounds to every age, so many of each, and sign what they take next.

    Args:
        market: on a node without limits whose clock stands still.
        tasks: how long the stream is.
    """
    wallets: dict[str, Wallet] = {}

    def account_of(name: str) -> str:
        wallet = Wallet.of(name)
        wallets[wallet.account] = wallet
        return wallet.account

    rounds = _rounds_of_every_age(market, tasks, account_of)
    creators = [account_of(f"creator {task}") for task in range(tasks)]
    for creator in creators:
        market.chain.set_balance(creator, FUNDS)
    calls = [
        [
            market.call("createRound", terms(market).encode(), rounds["join"][task].tree.root, sender=creators[task]),
            *(call for step, play in STEPS.items() for call in play(rounds[step][task])),
        ]
        for task in range(tasks)
    ]
    with market.chain.snapshot(), market.recording() as receipts:
        market.send_all(calls[0])
    # For each call what the dearest of its kind takes: a wallet cannot know whether it will be the first of its side.
    most: dict[str, int] = {}
    for call in calls[0]:
        most[call.function] = max(most.get(call.function, 0), market.gas_needed(call))
    load = [
        Unsigned(
            wallets[call.sender],
            market.address,
            market.codec.call(call.function, call.arguments),
            int(most[call.function] * MARGIN),
            value=call.value,
        )
        for task in calls
        for call in task
    ]
    began = time.process_time()
    raw = signed(market.chain, load)
    return Stream(
        raw=tuple(raw),
        each=len(calls[0]),
        gas=sum(receipt.gas_used for _, receipt in receipts),
        events=sum(len(receipt.events) for _, receipt in receipts),
        sign_seconds=(time.process_time() - began) / len(raw),
    )


def _rounds_of_every_age(market: Market, tasks: int, account_of: Callable[[str], str]) -> dict[str, list[LiveRound]]:
    """So many rounds before each step, all of them open for it now."""
    rounds: dict[str, list[LiveRound]] = {step: [] for step in STEPS}

    def create(*steps: str) -> None:
        for step in steps:
            for task in range(tasks):

                def own(name: str, prefix: str = f"{step} {task}") -> str:
                    return account_of(f"{prefix} {name}")

                rounds[step].append(stage(market, MODELS, MEMBERS_A_SIDE, account_of=own))

    def play(step: str, *before: str) -> None:
        if step == "draw":
            draw_together({round_: round_.to_be_drawn for name in before for round_ in rounds[name]})
            return
        played = [STEPS[step](round_) for name in before for round_ in rounds[name]]
        if step == "propose":  # model 0 wins: it has to be owner 0's
            market.send_together([calls.pop(0) for calls in played])
        market.send_together([call for calls in played for call in calls])

    # Every phase lasts a day: rounds whose bids are all committed are two days old, those that commit now one.
    create(*_OLD)
    play("join", *_OLD)
    play("propose", *_OLD)
    rounds["draw"][0].wait_for("join")
    play("commit", *_OLD)
    create("commit")
    play("join", "commit")
    play("propose", "commit")
    rounds["draw"][0].wait_for("commit", DRAW_DELAY)
    for index, step in enumerate(_OLD[:-1]):
        play(step, *_OLD[index + 1 :])
    create("join", "propose")
    play("join", "propose")
    return rounds


def _settlement(round_: LiveRound) -> Call:
    """Everybody at once."""
    words = [word for seat in round_.members for word in words_of(round_, seat)]
    return round_.call("settleMany", [seat.account for seat in round_.members], words, sender=round_.owners[0])
