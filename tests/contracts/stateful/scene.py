"""The contract and the model side by side: every call goes to both."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from analysis.devnode.actors import actor
from analysis.devnode.chain import Reverted
from analysis.devnode.market import Call, Market
from fl.market.bids import SealedBid
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import Deadlines, Phase, Policy, RoundTerms
from tests.contracts.stateful.attackers import REFUSES_ETHER, calling_when_paid
from tests.contracts.stateful.comparison import Seen, assert_agrees, assert_moved_on, assert_sound, look
from tests.contracts.stateful.effects import apply
from tests.contracts.stateful.rules import broken_by
from tests.contracts.stateful.state import Round, World

# The hedgehog's code refuses ether; the magpie's calls the contract again when it is paid.
HEDGEHOG, MAGPIE = "hedgehog", "magpie"
NOBODY = "0x" + "00" * 20
MEMBERS = ("alice", "bob", "carol", "north", "south", "east", "west", HEDGEHOG, MAGPIE)
STRANGER = "stranger"  # joins nothing, and ends every round
ENOUGH = 2**120  # wei that each account has: above any lock
SPENDING = ("withdraw", "join", "joinAndCommit")


class Scene:
    """Accounts, the contract without rounds, and the model of it.

    Attributes:
        world: the model.
        sealed: what an account has bid in a round and may open.
        reached: counts what calls did and what rounds came to.
    """

    def __init__(self, market: Market, reached: Counter[str]) -> None:
        self.market = market
        self.reached = reached
        named = {name: actor(name) for name in (*MEMBERS, STRANGER)}
        market.introduce(**named)
        self.hedgehog, self.magpie, self.stranger = named[HEDGEHOG], named[MAGPIE], named[STRANGER]
        self.members = tuple(named[name] for name in MEMBERS)
        self.accounts = tuple(named.values())
        for account in self.accounts:
            market.chain.set_balance(account, ENOUGH)
        market.chain.set_code(self.hedgehog, REFUSES_ETHER)
        self.world = World(
            now=market.chain.now,
            free=dict.fromkeys(self.accounts, 0),
            ether=dict.fromkeys(self.accounts, ENOUGH),
            refusing=frozenset({self.hedgehog, NOBODY}),
        )
        self.sealed: dict[tuple[int, str], SealedBid] = {}
        self._seen: Seen | None = None
        self._spenders: set[str] = set()

    @property
    def rounds(self) -> Sequence[Round]:
        return tuple(self.world.rounds.values())

    # ── time ──

    def travel(self, time: int) -> None:
        self.market.chain.travel_to(time)
        self.world.now = max(self.world.now, time)

    def deadlines(self) -> list[int]:
        """Those to come, soonest first, of rounds that are still played."""
        played = [round_ for round_ in self.rounds if round_.phase(self.world.now) is not Phase.SETTLE]
        return sorted({time for round_ in played for time in times_of(round_) if time > self.world.now})

    # ── calls ──

    def attempt(self, call: Call) -> None:
        """Send a call: it must do what the model says."""
        if self._sent(call) is None:
            return
        reaction = self.world.reactions.get(call.arguments[1]) if call.function == "withdraw" else None
        made = [call, *([reaction] if reaction else [])]
        self._spenders |= {each.sender for each in made if each.function in SPENDING}
        if any(each.function == "drawClaimant" for each in made):
            block = self.market.chain.rpc("eth_getBlockByNumber", "latest", False)
            self.world.randao = bytes.fromhex(block["mixHash"][2:])
        early = call.function.startswith("settle") and not self.world.rounds[call.arguments[0]].settlement_open(
            self.world.now
        )
        self.reached["released before the end"] += early
        apply(self.world, call)

    def attempt_creation(self, call: Call, entries: tuple[Entry, ...], tree: MembershipTree | None) -> None:
        """Send a `createRound`; a round that comes of it gets these members."""
        created = self._sent(call)
        if created is None:
            return
        number = created["roundId"]
        assert number == len(self.world.rounds) + 1
        terms, root = call.arguments
        listed = tree if tree and root == tree.root else None
        self.world.rounds[number] = Round(number, terms_of(terms), entries, listed, root)

    def attempt_while_paid(self, call: Call, reaction: Call) -> None:
        """Send a call that pays the magpie, whose code makes another whenever it is paid."""
        self.market.chain.set_code(self.magpie, calling_when_paid(reaction))
        self.world.reactions[self.magpie] = reaction
        self.attempt(call)
        del self.world.reactions[self.magpie]
        self.market.chain.set_code(self.magpie, b"")

    def _sent(self, call: Call) -> dict[str, Any] | None:
        """None if it failed, as it must; else what `RoundCreated` says, if it is in the logs."""
        expected = broken_by(self.world, call)
        try:
            receipt = call.send()
        except Reverted as reverted:
            said = reverted.failure
            assert said.error in expected, f"{call} failed with {said}, not with {sorted(expected) or 'nothing'}"
            self.reached[f"{call.function} refused"] += 1
            self.reached[said.error] += 1
            return None
        assert not expected, f"{call} succeeded, not failed with {sorted(expected)}"
        self.reached[f"{call.function} done"] += 1
        return receipt.event("RoundCreated") if call.function == "createRound" else {}

    # ── what must hold ──

    def check(self) -> Seen:
        """Everything that can be read of the contract is the model's, and sound in itself."""
        seen = look(self.market, list(self.world.rounds), self.accounts)
        assert_agrees(self.market, self.world, seen)
        assert_sound(seen)
        if self._seen:
            assert_moved_on(self._seen, seen, frozenset(self._spenders))
        self._seen = seen
        self._spenders.clear()
        return seen


def times_of(round_: Round) -> tuple[int, ...]:
    """When something can change in a round without a call."""
    deadlines = round_.terms.deadlines
    return (*astuple(deadlines), deadlines.draw_opens, deadlines.draw)


def terms_of(arguments: Sequence[Any]) -> RoundTerms:
    """The inverse of `RoundTerms.encode`."""
    owner_cap, station_cap, bond, stake, policy, low, high, threshold, tolerance, max_models, deadlines = arguments
    return RoundTerms(
        max_owner_bid=owner_cap,
        max_station_bid=station_cap,
        bond=bond,
        contribution_stake=stake,
        deadlines=Deadlines(*deadlines),
        owner_policy=Policy(policy),
        surplus_bps=(low, high),
        threshold_bps=threshold,
        tolerance_bps=tolerance,
        max_models=max_models,
    )
