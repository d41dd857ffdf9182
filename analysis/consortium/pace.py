"""The chain's time in a consortium: a phase in which everybody has done what it can is passed over."""

from dataclasses import dataclass

from analysis.consortium.chain import BLOCK_SECONDS, Node
from analysis.devnode.chain import Chain
from fl.market.client import Market
from fl.market.terms import Stage, Status


@dataclass(frozen=True)
class Pace:
    """Follows a round, and moves the clock where all wait for it.

    Attributes:
        node: whose clock it is.
        market: where the round is.
        round_id: the round.
        accounts: the members'.
        proposals: how many are expected.
    """

    node: Node
    market: Market
    round_id: int
    accounts: tuple[str, ...]
    proposals: int

    def over(self) -> bool:
        """Whether the round is over and everybody settled; if not, time may have been moved."""
        state, (terms, _) = self.market.round_state(self.round_id), self.market.terms(self.round_id)
        deadlines, now = terms.deadlines, self.market.block("latest").time
        if state.status is Status.OPEN:
            members = sum(state.committed)
            if now < deadlines.join:
                joined = [
                    self.market.member_state(self.round_id, each).stage is not Stage.NONE for each in self.accounts
                ]
                if all(joined) and state.model_count == self.proposals:
                    self._move_to(deadlines.join, now)
            elif now < deadlines.draw_opens and members == len(self.accounts):
                self._move_to(deadlines.draw_opens, now)
        if state.status in (Status.NONE, Status.OPEN, Status.TRAINING):
            return False
        members_left = [self.market.member_state(self.round_id, each) for each in self.accounts]
        return all(each.stage in (Stage.NONE, Stage.SETTLED) for each in members_left)

    def _move_to(self, time: int, now: int) -> None:
        if time - now > 2 * BLOCK_SECONDS:
            # On a connection of its own: nodes end one that nothing was asked on for a while.
            Chain(self.node.url).rpc("evm_setNextBlockTimestamp", time)
