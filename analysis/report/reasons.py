"""Why each member pays and gets what it does: the choice without it, its tax step by step, its share, its bond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, Settlement
from analysis.report.source import Source
from analysis.report.words import about, anchor_of, counted, names_of, signed
from analysis.round_facts import Dues, Member, Round, Slash
from fl.market.words import gwei
from fl.record.document import MemberEntry

FEW_MODELS = 8
"""So many are all shown in a member's steps; of more only those that decide, and the next best."""


@dataclass(frozen=True)
class Step:
    """A model as it looks to one member; wei.

    Attributes:
        value, cost, margin: V, the estimated cost of all K, and V − K; of a base station in the same units.
        own: the member's bid.
        share: what it would pay or, of a base station, get.
        others: what all others would have of the model, A.
        label: "selected", "without it", or nothing.
    """

    model: int
    live: bool
    value: Fraction
    cost: Fraction
    margin: Fraction
    own: int
    share: int
    others: Fraction
    label: str


@dataclass(frozen=True)
class Reasons:
    """A member's part of the page.

    Attributes:
        entry: what the contract moved.
        lock: wei.
        bid: for the selected model, gwei; None where it is sealed, or nothing was selected.
        net: what it ends with by its own bid, wei; None where that says nothing.
        said: paragraphs, with the numbers worked in.
        steps: the models that decide its tax.
        left_out: models that are not among them.
        pivotal: whether the choice turned on it.
        tax, slashed: what is collected of its Clarke tax and of its bond, wei.
        misconduct: what its bond was taken for, in words; empty if it was not.
    """

    name: str
    anchor: str
    is_owner: bool
    entry: MemberEntry
    lock: int
    bid: int | None
    net: int | None
    said: tuple[str, ...]
    steps: tuple[Step, ...]
    left_out: int
    pivotal: bool
    tax: int
    slashed: int
    without: int | None
    misconduct: str

    @property
    def change(self) -> int:
        """What the contract moved, wei."""
        return self.entry.lot - self.entry.payment

    @property
    def taken(self) -> int:
        """Of its lock, or of its reward, wei."""
        entry = self.entry
        return max(0, entry.share) + entry.tax + entry.slashed + max(0, -entry.bonus)

    @property
    def given(self) -> int:
        """Reward, lot, and what it won of others' stakes, wei."""
        return self.entry.reward + self.entry.lot + max(0, self.entry.bonus)

    @property
    def outcome(self) -> str:
        """What became of it, in a line."""
        moved = f"{signed(self.change)} gwei"
        if self.entry.claimant:
            return f"{moved}; its own bid stays sealed"
        if self.bid is None or self.net is None:
            return moved
        what = "a model that it valued at" if self.is_owner else "training that it said costs it"
        return f"{moved} for {what} {self.bid:,}: it ends with {signed(self.net)}"


def reasons_of(source: Source) -> tuple[Reasons, ...]:
    """Of every member, owners first."""
    return tuple(_Reasoner(source).all())


class _Reasoner:
    """Works through the members of one round."""

    def __init__(self, source: Source):
        self.source = source
        self.document, self.facts, self.result = source.document, source.facts, source.result
        self.names = names_of(self.document)
        facts = self.facts
        self.owners = sum(owner.committed for owner in facts.owners)
        self.stations = sum(station.committed for station in facts.stations)
        self.theta = Fraction(facts.theta_numerator, THETA_ONE)
        self.points = sum(owner.points for owner in facts.owners if owner.committed)
        zeros = (0,) * len(facts.proposers)

        def opened(side: Sequence[Member]) -> list[tuple[int, ...]]:
            return [member.bids for member in side if member.committed and member.revealed] or [zeros]

        self.values = [sum(each) * WEI_PER_GWEI for each in zip(*opened(facts.owners), strict=True)]
        self.costs = [sum(each) * WEI_PER_GWEI for each in zip(*opened(facts.stations), strict=True)]
        self.recorders = sum(station.recorded > 0 for station in facts.stations)

    def all(self) -> list[Reasons]:
        found: list[Reasons] = []
        place = 0
        facts, result = self.facts, self.result
        for entry, member, dues in zip(
            self.document.members, facts.owners + facts.stations, result.owners + result.stations, strict=True
        ):
            is_owner = len(found) < len(facts.owners)
            found.append(self._member(entry, member, dues, is_owner, place if member.committed else None))
            place += member.committed
        return found

    def _member(self, entry: MemberEntry, member: Member, dues: Dues, is_owner: bool, place: int | None) -> Reasons:
        settlement = self.result.settlement
        misconduct = "" if dues.slash is None else _misconduct(dues.slash, member, self.facts)
        said = [self._presence(entry, member)]
        steps: tuple[Step, ...] = ()
        left_out, without, pivotal = 0, None, False
        if settlement is not None and place is not None:
            steps, left_out, without = self._steps(member, settlement, place, is_owner, entry.claimant)
            pivotal = settlement.taxes[place] > 0
            said.append(self._choice(settlement, place, is_owner, entry.claimant, without))
            said += self._share(settlement, place, member, is_owner, entry.claimant)
            said += self._collected(settlement, place, dues, member, is_owner)
        said += self._bond(dues, misconduct)
        said += self._stake(entry, is_owner)
        if entry.lot or entry.claimant:
            waits = f"; {gwei(self.source.unclaimed)} gwei more are there to be claimed" * (self.source.unclaimed > 0)
            said.append(
                f"As claimant it received all taxes that were collected, the lot: {gwei(entry.lot)} gwei{waits}."
            )
        if entry.account in self.source.unsettled:
            said.append(
                "It is not settled yet: its lock is held, nothing has moved, and what is worked out here is to come."
            )
        selected = settlement.selected if settlement else None
        bid = None if selected is None or entry.bids is None else entry.bids[selected]
        name = self.names[entry.account]
        return Reasons(
            name=name,
            anchor=anchor_of(name),
            is_owner=is_owner,
            entry=entry,
            lock=dues.lock,
            bid=bid,
            net=self._net(entry, member, bid, is_owner),
            said=tuple(filter(None, said)),
            steps=steps,
            left_out=left_out,
            pivotal=pivotal,
            tax=dues.tax,
            slashed=dues.slashed,
            without=without,
            misconduct=misconduct,
        )

    # ── what it did ──

    def _presence(self, entry: MemberEntry, member: Member) -> str:
        if not member.committed:
            return "It joined and never sealed a bid, so it plays no part in what follows."
        if entry.claimant:
            return "It sealed its bids and was then drawn as claimant: they are never opened, and it stands aside."
        return (
            "It sealed its bids, and opened them." if member.revealed else "It sealed its bids and never opened them."
        )

    def _net(self, entry: MemberEntry, member: Member, bid: int | None, is_owner: bool) -> int | None:
        change = entry.lot - entry.payment
        if entry.account in self.source.unsettled:
            return None
        if self.result.status == "nothing trained" and member.committed:
            return change
        if bid is None or self.result.status != "settled" or self.document.punished or not self.recorders:
            return None
        if is_owner:
            return bid * WEI_PER_GWEI + change
        return change - bid * WEI_PER_GWEI * member.recorded // self.facts.global_rounds

    # ── the choice without it, and its tax ──

    def _steps(
        self, member: Member, settlement: Settlement, place: int, is_owner: bool, claimant: bool
    ) -> tuple[tuple[Step, ...], int, int | None]:
        """The models that decide, how many are left out, and which would be selected for the others alone."""
        if claimant:
            return (), 0, None
        weight = self.stations - 1 if is_owner else self.stations
        models, others = range(len(self.facts.proposers)), settlement.others_enjoy[place]
        live = [model for model in models if self.facts.live[model]]
        best = max(live, key=lambda model: (others[model], -model), default=None)
        without = best if best is not None and others[best] > 0 else None
        if settlement.selected is not None and others[settlement.selected] >= max([0, *(others[m] for m in live)]):
            without = settlement.selected
        chosen = set(models)
        if len(models) > FEW_MODELS:
            ranked = sorted(live, key=lambda model: -settlement.scores[model])
            chosen = {*ranked[:3], *([without] if without is not None else [])}
            chosen |= {settlement.selected} if settlement.selected is not None else set()
        steps = tuple(
            self._step(member, settlement, place, is_owner, model, weight, without) for model in sorted(chosen)
        )
        return steps, len(models) - len(steps), without

    def _step(
        self,
        member: Member,
        settlement: Settlement,
        place: int,
        is_owner: bool,
        model: int,
        weight: int,
        without: int | None,
    ) -> Step:
        share = settlement.shares_by_model[place][model]
        labels = ["selected"] * (model == settlement.selected) + ["without it"] * (model == without)
        # E / weight is V − K of all for an owner; for a base station the same with each side a little lighter.
        lighter = Fraction(1) if is_owner else Fraction(self.stations - 1, self.stations)
        return Step(
            model=model,
            live=self.facts.live[model],
            value=self.values[model] * lighter,
            cost=self.costs[model] * Fraction(self.stations, self.stations - 1) * lighter,
            margin=Fraction(settlement.scores[model], weight),
            own=(member.bids[model] if member.revealed else 0) * WEI_PER_GWEI,
            share=share if is_owner else -share,
            others=Fraction(settlement.others_enjoy[place][model], weight),
            label=" and ".join(labels),
        )

    def _choice(self, settlement: Settlement, place: int, is_owner: bool, claimant: bool, without: int | None) -> str:
        if claimant:
            return "It has no say about the model, so it owes no Clarke tax, whatever it bid."
        weight = self.stations - 1 if is_owner else self.stations
        selected, tax, others = settlement.selected, settlement.taxes[place], settlement.others_enjoy[place]
        chosen = "nothing" if selected is None else f"model {selected}"
        if not tax:
            return f"For the others alone the selection would have been the same, {chosen}: it owes no Clarke tax."
        have = Fraction(0 if selected is None else others[selected], weight)
        most = Fraction(0 if without is None else others[without], weight)
        instead = "nothing" if without is None else f"model {without}"
        return (
            f"It is pivotal: for the others alone {instead} would be selected, of which they would have had "
            f"{about(most)} gwei; of {chosen} they have {about(have)}. The difference, rounded up to the wei, is its "
            f"Clarke tax: {about(most)} − {f'({about(have)})' if have < 0 else about(have)} = {gwei(tax)} gwei."
        )

    # ── its share or reward ──

    def _share(self, settlement: Settlement, place: int, member: Member, is_owner: bool, claimant: bool) -> list[str]:
        selected = settlement.selected
        if selected is None:
            return []
        amount, stations, theta = gwei(abs(settlement.shares[place])), self.stations, f"{float(self.theta):.4f}"
        value, cost = self.values[selected], self.costs[selected]
        all_cost = Fraction(cost * stations, stations - 1)
        own = (member.bids[selected] if member.revealed else 0) * WEI_PER_GWEI
        if is_owner and self.facts.owner_policy == "capability":
            return [
                f"Its share: p / Σp of the cost of all, {member.points:,} / {self.points:,} · {about(all_cost)} = "
                f"{amount} gwei."
            ]
        if is_owner:
            n = self.owners
            return [
                f"Its share leaves out its own bid: (1 − θ) K / {n} + θ (V − v) / {n - 1} = (1 − {theta}) · "
                f"{about(all_cost)} / {n} + {theta} · ({about(value)} − {about(own)}) / {n - 1} = {amount} gwei."
            ]
        others = stations - 1 if claimant else stations - 2
        formula = f"(1 − θ) K / {others}" if claimant else f"(1 − θ) (K − k) / {others}"
        worked = about(cost) if claimant else f"({about(cost)} − {about(own)})"
        return [
            f"Its reward for all global rounds leaves out its own bid: {formula} + θ V / {stations} = (1 − {theta}) · "
            f"{worked} / {others} + {theta} · {about(value)} / {stations} = {amount} gwei."
        ]

    def _collected(self, settlement: Settlement, place: int, dues: Dues, member: Member, is_owner: bool) -> list[str]:
        """Where other than the plain share and tax was moved."""
        said, status = [], self.result.status
        due_tax, due_share = settlement.taxes[place], settlement.shares[place]
        trained = status in ("settled", "aborted")
        if trained and not self.recorders:
            return ["No base station recorded anything, so no share, reward or tax was collected."]
        if not is_owner and trained and member.recorded < self.facts.global_rounds:
            said.append(
                f"It recorded {member.recorded} of {counted(self.facts.global_rounds, 'global round')}, so it earned "
                f"{gwei(dues.reward)} of its reward and missed {gwei(dues.forfeited)} gwei, which are kept."
            )
        if dues.tax < due_tax:
            said.append(f"Of the tax of {gwei(due_tax)} gwei its lock held {gwei(dues.tax)}: never more is taken.")
        if is_owner and trained and dues.share < due_share:
            said.append(f"Of the share of {gwei(due_share)} gwei its lock held {gwei(dues.share)}.")
        return said

    def _bond(self, dues: Dues, misconduct: str) -> list[str]:
        if not misconduct:
            return []
        return [f"It {misconduct}, and lost {gwei(dues.slashed)} gwei of its bond: that is kept, and paid to nobody."]

    def _stake(self, entry: MemberEntry, is_owner: bool) -> list[str]:
        stake = self.facts.stake
        if is_owner or not stake or not entry.committed:
            return []
        if not self.result.upheld:
            return [f"Its contribution stake of {gwei(stake)} gwei goes back, as no contributions stand."]
        listed = self.document.contributions[self.document.base_stations.index(entry)]
        points = "was not listed" if listed is None else f"was listed with {listed / 10_000:.2f} % of the contribution"
        return [
            f"It {points}: of the stakes it got {gwei(stake + entry.bonus)} gwei back for its {gwei(stake)} "
            f"({signed(entry.bonus)})."
        ]


def _misconduct(slash: Slash, member: Member, facts: Round) -> str:
    return {
        "silence": "never opened its bids",
        "absence": f"recorded {member.recorded} of {counted(facts.global_rounds, 'global round')}",
        "zero": "was listed with no contribution at all, and the vote upheld that",
        "abort": "won, and never reported",
        "vote": "was found by the vote to have claimed more than its model reached",
        "proposal": "proposed a model and never sealed a bid",
    }[slash]
