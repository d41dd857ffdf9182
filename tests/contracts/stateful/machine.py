"""Random calls by random members at random times, in several rounds side by side, on the contract and on the model."""

import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from analysis.devnode.market import Market
from fl.market.terms import Phase, Role
from tests.conftest import untouched
from tests.contracts.stateful.creation import Creation, creations
from tests.contracts.stateful.ending import everybody_withdraws, stranger_ends_every_round
from tests.contracts.stateful.perturbation import perturbed
from tests.contracts.stateful.player import Player
from tests.contracts.stateful.scene import NOBODY, Scene
from tests.contracts.stateful.state import Round

ROUNDS = 4  # the most in one walk
VISITS = len(Phase) + 2  # to the end of a round: the draw begins and ends within a phase


class Protocol(RuleBasedStateMachine):
    """The contract and the model of it, with nine members that come and go.

    Args:
        market: the deployed contract; what a walk does to it is taken back.
        reached: counts what the walks come to.
    """

    def __init__(self, market: Market, reached: Counter[str]) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.undo.enter_context(untouched(market))
        self.scene = Scene(market, reached)

    # ── rounds ──

    @initialize(data=st.data(), phases=st.sampled_from((VISITS, VISITS, 7, 5, 3, 0)))
    def first_round(self, data: st.DataObject, phases: int) -> None:
        """The walk begins somewhere in the life of a round."""
        self.create(data)
        self.live(data, phases)

    @precondition(lambda self: len(self.scene.rounds) < ROUNDS)
    @rule(data=st.data())
    def another_round(self, data: st.DataObject) -> None:
        self.create(data)

    def create(self, data: st.DataObject) -> None:
        """At times with something wrong in it first; a round that comes of that has nobody on its list."""
        scene = self.scene
        creation: Creation = data.draw(creations(scene.members, scene.world.now))
        call = scene.market.call("createRound", creation.terms.encode(), creation.tree.root, sender=self.somebody(data))
        if data.draw(st.integers(0, 3), label="wrong") == 0:
            wrong = perturbed(call, scene.accounts, data.draw)
            if wrong.arguments != call.arguments:
                scene.attempt_creation(wrong, (), creation.tree)
        scene.attempt_creation(call, creation.entries, creation.tree)

    # ── members ──

    @rule(data=st.data(), phases=st.integers(1, 3))
    def life_goes_on(self, data: st.DataObject, phases: int) -> None:
        self.live(data, phases)

    @rule(data=st.data())
    def life_goes_on_to_the_end(self, data: st.DataObject) -> None:
        self.live(data, VISITS)

    def live(self, data: st.DataObject, phases: int) -> None:
        """Whoever is there does what its rounds' phases ask of it; then, mostly, the next deadline comes."""
        for _ in range(phases):
            for round_ in self.scene.rounds:
                self.play(round_.id, self.away(round_, data), data)
            deadlines = self.scene.deadlines()
            if deadlines and data.draw(st.integers(0, 7), label="wait") != 0:
                self.scene.travel(deadlines[0])

    def away(self, round_: Round, data: st.DataObject) -> frozenset[str]:
        """Some members; seldom a whole side, or its winner."""
        side = data.draw(st.sampled_from((*[None] * 9, "winner", *Role)), "who is away")
        few = frozenset(data.draw(st.frozensets(st.sampled_from(self.scene.members), max_size=2), "away"))
        if side == "winner":
            return few | {str(round_.winner)}
        return few | {entry.account for entry in round_.entries if entry.role is side}

    def play(self, number: int, away: frozenset[str], data: st.DataObject) -> None:
        """The round's phase; at times a call is made wrongly first, or once more, and somebody meddles."""
        scene, player, round_ = self.scene, self.player(data), self.scene.world.rounds[number]
        if round_.places and not round_.unsettled and not round_.lot:
            return  # nothing is left to play
        for call in player.honest(round_, away):
            trouble = data.draw(st.integers(0, 7), label="trouble")
            if trouble == 7:
                scene.attempt(perturbed(call, scene.accounts, data.draw))
            scene.attempt(call)
            if trouble == 6:
                scene.attempt(call)
        for _ in range(data.draw(st.integers(0, 2), label="meddlers")):
            scene.attempt(player.meddling(round_))

    @rule(data=st.data())
    def anybody_calls_anything(self, data: st.DataObject) -> None:
        call = self.player(data).any_call()
        wrong = data.draw(st.booleans(), "wrong")
        self.scene.attempt(perturbed(call, self.scene.accounts, data.draw) if wrong else call)

    # ── time ──

    @rule(data=st.data(), offset=st.integers(-1, 1), far=st.integers(0, 15))
    def time_passes(self, data: st.DataObject, offset: int, far: int) -> None:
        """To one second before, at or after the next deadline; now and then to any."""
        deadlines = self.scene.deadlines()
        if deadlines:
            deadline = data.draw(st.sampled_from(deadlines), "deadline") if far == 15 else deadlines[0]
            self.scene.travel(deadline + offset)

    # ── free balances ──

    @rule(data=st.data(), amount=st.sampled_from((0, 1, 10**9, 10**20)))
    def deposit(self, data: st.DataObject, amount: int) -> None:
        self.scene.attempt(self.scene.market.call("deposit", sender=self.somebody(data), value=amount))

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        sender = self.somebody(data)
        free = self.scene.world.free[sender]
        amount = data.draw(st.sampled_from((0, 1, free // 2, free, free + 1, 2**256 - 1)), "amount")
        to = data.draw(st.sampled_from((*self.scene.accounts, NOBODY)), "to")
        self.scene.attempt(self.scene.market.call("withdraw", amount, to, sender=sender))

    @rule(data=st.data(), once_more=st.booleans())
    def withdraw_and_call_again(self, data: st.DataObject, once_more: bool) -> None:
        """When the magpie is paid it withdraws once more, as often as it can, or makes any other call."""
        scene = self.scene
        amount = max(1, scene.world.free[scene.magpie] // 3)  # few fit into one another
        own = scene.market.call("withdraw", amount, scene.magpie, sender=scene.magpie)
        other = own if once_more else replace(self.player(data).any_call(), sender=scene.magpie)
        payer = data.draw(st.sampled_from((scene.magpie, self.somebody(data))), "payer")
        part = scene.world.free[payer] // 2
        call = own if payer == scene.magpie else scene.market.call("withdraw", part, scene.magpie, sender=payer)
        scene.attempt_while_paid(call, other)

    # ── what must hold ──

    @invariant()
    def contract_agrees_with_the_model(self) -> None:
        self.scene.check()

    def teardown(self) -> None:
        """Ends the walk, unless it has failed."""
        try:
            if sys.exc_info()[0] is None:
                stranger_ends_every_round(self.scene)
                everybody_withdraws(self.scene)
        finally:
            self.undo.close()

    # ── helpers ──

    def player(self, data: st.DataObject) -> Player:
        return Player(self.scene.market, self.scene.world, self.scene.accounts, self.scene.sealed, data.draw)

    def somebody(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(self.scene.accounts), "account"))
