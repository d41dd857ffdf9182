"""Plays rounds of `contracts/test/NaiveCrowdfunding.sol`, the contract that HCFL is measured against."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from eth_abi import encode
from eth_utils import keccak

from analysis.benchmarks.contract.figures import Sheet
from analysis.benchmarks.contract.stage import PHASE_SECONDS
from analysis.devnode.chain import Chain, Receipt
from analysis.devnode.deployment import deploy
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import CLAIMED_ACCURACY_BPS, GLOBAL_ROUNDS, LiveRound, Seat
from analysis.devnode.sources import compile_contract
from fl.market.terms import DRAW_DELAY

SOURCE = PurePosixPath("contracts/test/NaiveCrowdfunding.sol")
PHASES = ("join", "commit", "reveal", "select", "train", "vote")


def deploy_naive(chain: Chain) -> Market:
    """Compile it, if it has changed, and deploy it."""
    return deploy(chain, compile_contract(str(SOURCE)))


@dataclass(frozen=True)
class NaiveRound:
    """A round of the naive contract with the members, bids and terms of `model`, one of HCFL.

    Calls are those of a `LiveRound`, returned unsent. No phase ends early.
    """

    market: Market
    id: int
    model: LiveRound
    deadlines: tuple[int, ...]

    @classmethod
    def like(cls, market: Market, model: LiveRound, seconds: int = PHASE_SECONDS) -> "NaiveRound":
        """Create one with what was agreed for `model`; its phases start now."""
        now, terms = market.chain.now, model.terms
        deadlines = tuple(now + seconds * (phase + 1) for phase in range(len(PHASES)))
        encoded = (
            terms.max_owner_bid,
            terms.max_station_bid,
            terms.bond,
            *terms.surplus_bps,
            terms.threshold_bps,
            terms.tolerance_bps,
            terms.max_models,
            model.tree.root,
            deadlines,
        )
        created = market.call("createRound", encoded, sender=model.owners[0].account).send()
        return cls(market, created.event("RoundCreated")["roundId"], model, deadlines)

    @property
    def owners(self) -> tuple[Seat, ...]:
        return self.model.owners

    @property
    def stations(self) -> tuple[Seat, ...]:
        return self.model.stations

    @property
    def members(self) -> tuple[Seat, ...]:
        return self.model.members

    @property
    def proposers(self) -> tuple[Seat, ...]:
        return self.model.proposers

    @property
    def to_be_drawn(self) -> Seat | None:
        return self.model.to_be_drawn

    def wait_for(self, phase: str, seconds: int = 0) -> None:
        """Travel to the end of a phase, or so many seconds beyond it."""
        self.market.chain.travel_to(self.deadlines[PHASES.index(phase)] + seconds)

    def call(self, function: str, *arguments: object, sender: Seat, value: int = 0) -> Call:
        return self.market.call(function, self.id, *arguments, sender=sender.account, value=value)

    def join(self, seat: Seat) -> Call:
        return self.call("join", seat.role, self.model.proof(seat), sender=seat, value=self.model.lock(seat))

    def propose(self, seat: Seat, global_rounds: int = GLOBAL_ROUNDS) -> Call:
        owners = self.model.opening.digest(self.market, self.id, seat.account)
        stations = keccak(text=f"stations read this of {seat.name}")
        return self.call("propose", owners, stations, global_rounds, sender=seat)

    def commit_bid(self, seat: Seat) -> Call:
        types = ["uint256", "address", "uint256", "address", "uint64[]", "bytes32"]
        values = [self.market.chain_id, self.market.address, self.id, seat.account, seat.bids, seat.sealed.salt]
        return self.call("commitBid", keccak(encode(types, values)), sender=seat)

    def draw(self) -> Call:
        return self.call("drawClaimant", sender=self.owners[0])

    def send_draw(self) -> Receipt:
        """Draw the claimant that `model` was made for: blocks pass until it fits."""
        wanted = self.to_be_drawn
        ordinal = self.market.view("ordinalOf", self.id, wanted.account) if wanted else None
        while True:
            with self.market.chain.snapshot():
                drawn = self.draw().send().event("ClaimantDrawn")["ordinal"]
            if ordinal in (None, drawn):
                return self.draw().send()
            self.market.chain.rpc("evm_mine")

    def reveal_bid(self, seat: Seat) -> Call:
        return self.call("revealBid", seat.bids, seat.sealed.salt, sender=seat)

    def select(self) -> Call:
        return self.call("selectModel", sender=self.owners[0])

    def record_update(self, seat: Seat, global_round: int = 0) -> Call:
        return self.call("recordUpdate", global_round, keccak(text=f"{seat.name}'s {global_round}"), sender=seat)

    def record_global_round(self, winner: Seat, global_round: int = 0) -> Call:
        digests = (keccak(text=f"global model {global_round}"), keccak(text=f"updates {global_round}"))
        return self.call("recordGlobalRound", global_round, *digests, sender=winner)

    def report_result(self, winner: Seat) -> Call:
        return self.call("reportResult", keccak(text="final model"), *self.model.opening.encoded, sender=winner)

    def vote(self, seat: Seat, accuracy_bps: int = CLAIMED_ACCURACY_BPS) -> Call:
        return self.call("vote", accuracy_bps, sender=seat)

    def settle(self) -> Call:
        return self.call("settle", sender=self.owners[0])


def measure_naive(market: Market, model: LiveRound) -> Sheet:
    """The gas of the naive contract's calls, by the cases of `gas.measure`, in a round like `model`."""
    sheet = Sheet()
    with market.chain.snapshot():
        round_ = NaiveRound.like(market, model)
        winner, stations = round_.proposers[0], round_.stations
        sides = (("owner", round_.owners), ("base station", stations))
        for side, members in sides:
            round_.join(members[0]).send()
            sheet.take(round_.join(members[1]), f"{side}, new, exact value sent")
            market.send_all([round_.join(seat) for seat in members[2:]])
        sheet.take(round_.propose(winner), "first")
        if len(round_.proposers) > 1:
            sheet.take(round_.propose(round_.proposers[1]), "later")
        market.send_all([round_.propose(seat) for seat in round_.proposers[2:]])
        round_.wait_for("join")
        for side, members in sides:
            round_.commit_bid(members[0]).send()
            sheet.take(round_.commit_bid(members[1]), side)
            market.send_all([round_.commit_bid(seat) for seat in members[2:]])
        round_.wait_for("commit", DRAW_DELAY)
        with market.chain.snapshot():
            sheet.take(round_.draw(), "anyone")
        round_.send_draw()
        for side, members in sides:
            sheet.take(round_.reveal_bid(members[0]), f"{side}, first")
            sheet.take(round_.reveal_bid(members[1]), f"{side}, later")
            market.send_all([round_.reveal_bid(seat) for seat in members[2:] if seat != round_.to_be_drawn])
        round_.wait_for("reveal")
        sheet.take(round_.select(), "anyone")
        round_.wait_for("select")
        sheet.take(round_.record_update(stations[0]), "its first global round")
        sheet.take(round_.record_update(stations[0], 1), "a later global round")
        sheet.take(round_.record_update(stations[0], 2), "its last global round")
        market.send_all([round_.record_update(seat, g) for seat in stations[1:] for g in range(GLOBAL_ROUNDS)])
        sheet.take(round_.record_global_round(winner), "first")
        sheet.take(round_.record_global_round(winner, 1), "later")
        round_.wait_for("train")
        sheet.take(round_.report_result(winner), "winner")
        sheet.take(round_.vote(round_.owners[1]), "first")
        sheet.take(round_.vote(round_.owners[2], 0), "later")
        market.send_all([round_.vote(seat) for seat in round_.owners[3:]])
        round_.wait_for("vote")
        with market.chain.snapshot():
            sheet.take(round_.settle(), "everybody, new", members=1)
        sheet.take(round_.settle(), "a member of all, new", members=len(round_.members))
    return sheet
