"""Plays rounds of `contracts/test/NaiveCrowdfunding.sol`, the contract that HCFL is measured against."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from eth_abi import encode
from eth_utils import keccak

from analysis.benchmarks.contract.figures import Sheet
from analysis.benchmarks.contract.stage import PHASE_SECONDS
from analysis.devnode.chain import Chain
from analysis.devnode.deployment import deploy
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import TRAINING_ROUNDS, LiveRound, Opening, Seat
from analysis.devnode.sources import compile_contract
from fl.market.membership import MembershipTree
from fl.market.terms import GWEI, Role

SOURCE = PurePosixPath("contracts/test/NaiveCrowdfunding.sol")
PHASES = ("join", "commit", "reveal", "select", "train", "vote")


def deploy_naive(chain: Chain) -> Market:
    """Compile it, if it has changed, and deploy it."""
    return deploy(chain, compile_contract(str(SOURCE)))


@dataclass(frozen=True)
class NaiveRound:
    """A round of the naive contract, with the members, bids and terms of one of HCFL. Calls are returned unsent."""

    market: Market
    id: int
    owners: tuple[Seat, ...]
    stations: tuple[Seat, ...]
    proposers: tuple[Seat, ...]
    tree: MembershipTree | None
    deadlines: tuple[int, ...]
    max_owner_bid: int
    max_base_bid: int
    bond: int
    opening: Opening

    @classmethod
    def like(cls, market: Market, model: LiveRound, seconds: int = PHASE_SECONDS) -> "NaiveRound":
        """Create one with what was agreed for `model`, a round of HCFL; its phases start now."""
        now, terms = market.chain.now, model.terms
        deadlines = tuple(now + seconds * (phase + 1) for phase in range(len(PHASES)))
        encoded = (
            terms.max_owner_bid,
            terms.max_base_bid,
            terms.bond,
            terms.punish_threshold_bps,
            terms.max_models,
            terms.membership_root,
            *deadlines,
        )
        created = market.call("createRound", encoded, sender=model.owners[0].account).send()
        return cls(
            market,
            created.event("RoundCreated")["roundId"],
            model.owners,
            model.stations,
            model.proposers,
            model.tree,
            deadlines,
            terms.max_owner_bid,
            terms.max_base_bid,
            terms.bond,
            model.opening,
        )

    @property
    def members(self) -> tuple[Seat, ...]:
        return self.owners + self.stations

    def wait_for(self, phase: str) -> None:
        """Travel to the end of a phase."""
        self.market.chain.travel_to(self.deadlines[PHASES.index(phase)])

    def lock(self, seat: Seat) -> int:
        """Wei: what the member locks in HCFL."""
        return self.bond + GWEI * (2 * self.max_owner_bid if seat.role is Role.OWNER else self.max_base_bid)

    def call(self, function: str, *arguments: object, sender: Seat, value: int = 0) -> Call:
        return self.market.call(function, self.id, *arguments, sender=sender.account, value=value)

    def join(self, seat: Seat) -> Call:
        proof = self.tree.proof(seat.entry) if self.tree else []
        return self.call("join", seat.role, proof, sender=seat, value=self.lock(seat))

    def propose(self, seat: Seat) -> Call:
        owners = self.opening.digest(self.market, self.id, seat.account)
        stations = keccak(text=f"stations read this of {seat.name}")
        return self.call("propose", owners, stations, TRAINING_ROUNDS, sender=seat)

    def commit_bid(self, seat: Seat) -> Call:
        types = ["uint256", "address", "uint256", "address", "uint64[]", "bytes32"]
        values = [self.market.chain_id, self.market.address, self.id, seat.account, seat.bids, seat.sealed.salt]
        return self.call("commitBid", keccak(encode(types, values)), sender=seat)

    def reveal_bid(self, seat: Seat) -> Call:
        return self.call("revealBid", seat.bids, seat.sealed.salt, sender=seat)

    def select(self) -> Call:
        return self.call("selectModel", sender=self.owners[0])

    def record_update(self, seat: Seat, epoch: int = 0) -> Call:
        return self.call("recordUpdate", epoch, keccak(text=f"{seat.name}'s update {epoch}"), sender=seat)

    def record_global_round(self, winner: Seat, epoch: int = 0) -> Call:
        digests = (keccak(text=f"global model {epoch}"), keccak(text=f"updates {epoch}"))
        return self.call("recordGlobalRound", epoch, *digests, sender=winner)

    def report_result(self, winner: Seat) -> Call:
        return self.call("reportResult", keccak(text="final model"), *self.opening.encoded, sender=winner)

    def vote(self, seat: Seat, punish: bool = False) -> Call:
        return self.call("vote", punish, 9_000, sender=seat)

    def settle(self) -> Call:
        return self.call("settle", sender=self.owners[0])


def measure_naive(market: Market, model: LiveRound) -> Sheet:
    """The gas of the naive contract's calls, by the cases of `gas.measure`, in a round like `model`."""
    sheet = Sheet()
    with market.chain.snapshot():
        round_ = NaiveRound.like(market, model)
        winner = round_.proposers[0]
        sides = (("owner", round_.owners), ("base station", round_.stations))
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
        round_.wait_for("commit")
        for side, members in sides:
            sheet.take(round_.reveal_bid(members[0]), f"{side}, first")
            sheet.take(round_.reveal_bid(members[1]), f"{side}, later")
            market.send_all([round_.reveal_bid(seat) for seat in members[2:]])
        sheet.take(round_.select(), "anyone")
        sheet.take(round_.record_update(round_.stations[0]), "its first epoch")
        sheet.take(round_.record_update(round_.stations[0], epoch=1), "a later epoch")
        market.send_all([round_.record_update(seat) for seat in round_.stations[1:]])
        sheet.take(round_.record_global_round(winner), "first")
        sheet.take(round_.record_global_round(winner, epoch=1), "later")
        sheet.take(round_.report_result(winner), "winner")
        sheet.take(round_.vote(round_.owners[1]), "first")
        sheet.take(round_.vote(round_.owners[2], punish=True), "later")
        market.send_all([round_.vote(seat) for seat in round_.owners[3:]])
        with market.chain.snapshot():
            sheet.take(round_.settle(), "everybody, new", members=1)
        sheet.take(round_.settle(), "a member of all, new", members=len(round_.members))
    return sheet
