"""A round in words, as it goes on: a heading when its phase begins, and what came of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fl.crowdfunding.watcher import Watcher
from fl.market.terms import GWEI, Role, Status
from fl.members import steps
from fl.members.facts import Chronicle, Facts
from fl.members.steps import Step
from fl.record.history import RoundRecord

_PHASES: dict[type[Step], tuple[str, str]] = {
    steps.Join: ("Join", "everybody locks the same for every bid, and knows what it can lose"),
    steps.Propose: ("Propose", "digests on chain, the texts sealed to the members of each side"),
    steps.Commit: ("Commit", "sealed bids of both sides for every model"),
    steps.Reveal: ("Reveal", "the seals are opened, the contract sums values and costs"),
    steps.Deliver: ("Train", "base stations train on their own data, the winner averages what they recorded"),
    steps.List: ("Report", "contributions as measured, and the claim made at proposal time is opened"),
    steps.Report: ("Report", ""),
    steps.Vote: ("Vote", "every other owner measures the shared model and the contributions, and votes"),
    steps.Settle: ("Settle", "shares, taxes, rewards, stakes and slashed bonds move, then the claimant's lot"),
}


class Story:
    """Tells the watcher when a phase begins.

    Args:
        watcher: is told.
        chronicle: reads the chain.
        names: of the members, by account.
    """

    def __init__(self, watcher: Watcher, chronicle: Chronicle, names: Mapping[str, str]):
        self._watcher, self._chronicle, self._names = watcher, chronicle, names
        self._told: set[str] = set()
        facts = self._facts()
        low, high = (bps / 10_000 for bps in facts.terms.surplus_bps)
        theta = f"θ = {low}" if low == high else f"θ from {low} to {high}"
        watcher.phase("Create", f"round {facts.round_id} on chain {facts.chain_id}, {theta}")
        watcher.did("contract", facts.contract)

    @contextmanager
    def telling(self, step: Step) -> Iterator[None]:
        """Tells of a step that a member does."""
        if (found := _PHASES.get(type(step))) is not None and found[0] not in self._told:
            self._told.add(found[0])
            self._watcher.phase(*found)
        yield
        if isinstance(step, steps.Draw):
            record = self._facts().record
            if record.theta_numerator is not None:
                self._watcher.phase("Draw", f"θ = {record.theta_numerator / 2**64:.4f}")
                claimant = self._names[record.claimant or ""]
                self._watcher.did(claimant, "is the claimant: its bids stay sealed, and all taxes are its")
        elif isinstance(step, steps.Select):
            self._watcher.phase("Select", _selection(self._facts().record))

    def _facts(self) -> Facts:
        return self._chronicle.facts(next(iter(self._names)))


def _selection(record: RoundRecord) -> str:
    if record.status is not Status.TRAINING or record.selected is None:
        return record.status.name.lower().replace("_", " ")
    values, costs = (sums[record.selected] / GWEI for sums in record.sums())
    stations = len(record.committed(Role.BASE_STATION))
    margin = values - costs * stations / (stations - 1)
    return f"model {record.selected} has the largest margin, {margin:,.2f} gwei".replace(".00 gwei", " gwei")
