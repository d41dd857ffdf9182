"""What `ape run status` shows of a round: its phases, who has done what, and where one account stands.

All of it follows from the facts of one block (`fl.members.facts`), the membership list and the account's journal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fl.market.membership_file import MembershipList
from fl.market.terms import ROLES, Phase, Role, Status
from fl.market.terms_file import PHASES
from fl.market.words import duration, gwei, utc
from fl.members import owner, station, steps
from fl.members.facts import Facts
from fl.members.rounds import Conduct
from fl.members.run import deadline_of
from fl.record.document import portable
from fl.record.history import MemberRecord

_ROLE_WORDS = {role: word for word, role in ROLES.items()}
_CLOSES = {Phase.JOIN: "join", Phase.COMMIT: "commit", Phase.REVEAL: "reveal", Phase.SELECT: "select"}
_DEADLINES = {**_CLOSES, Phase.TRAIN: "train", Phase.REPORT: "report", Phase.VOTE: "vote"}

_STEPS: Mapping[type[steps.Step], str] = {
    steps.Join: "join: lock what the terms ask for",
    steps.Propose: "propose a model, or none",
    steps.Commit: "seal a bid for each model",
    steps.Draw: "draw the claimant; anyone may",
    steps.Reveal: "reveal the sealed bids",
    steps.Select: "select the model; anyone may",
    steps.Deliver: "deliver the order and the initial model to the base stations",
    steps.Accept: "read the winner's order and declare the number of training samples",
    steps.Train: "train, and record the update",
    steps.Attend: "record that it was there",
    steps.Aggregate: "average the updates, and record the global model",
    steps.List: "list the base stations with their contribution",
    steps.Report: "report the trained model",
    steps.Abort: "end the round, whose winner has not reported; anyone may",
    steps.Vote: "measure the model and the contributions, and vote",
    steps.Settle: "settle; anyone may, for anyone",
    steps.Claim: "claim the lot",
}


def phase_of(facts: Facts) -> Phase:
    """The step of the protocol that the round is in, early ends counted in (`Rounds._phaseOf`)."""
    deadlines, now = facts.deadlines, facts.now
    if facts.settlement_open:
        return Phase.SETTLE
    if facts.status is Status.REPORTED:
        return Phase.VOTE
    if facts.status is Status.TRAINING:
        return Phase.TRAIN if now < deadlines.train else Phase.REPORT
    if now < deadlines.join:
        return Phase.JOIN
    if now < deadlines.commit:
        return Phase.COMMIT
    if facts.record.claimant is None:
        return Phase.DRAW
    return Phase.SELECT if now >= deadlines.reveal or facts.all_revealed else Phase.REVEAL


@dataclass(frozen=True)
class Who:
    """The account whose position is shown.

    Attributes:
        account: address.
        role: its side; None: it has joined none, and is not listed.
        points: as it is listed.
        proposes: whether its plan proposes a model.
        notes: of its journal; None: that is not at hand.
    """

    account: str
    role: Role | None = None
    points: int = 1
    proposes: bool = False
    notes: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RoundStatus:
    """A round at one block.

    Attributes:
        listed: the round's membership list; None: not at hand, or another round's.
        who: the account whose position is shown; None: nobody's.
    """

    facts: Facts
    listed: MembershipList | None = None
    who: Who | None = None

    @property
    def phase(self) -> Phase:
        """The step of the protocol that it is in."""
        return phase_of(self.facts)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left that anybody could do: all are settled and the lot is claimed."""
        members = self.facts.record.members.values()
        settled = all(each.settled is not None for each in members)
        taxes = sum(each.settled.tax for each in members if each.settled is not None)
        return self.phase is Phase.SETTLE and settled and taxes == sum(each.lot for each in members)

    def next_step(self) -> tuple[str, int | None]:
        """What the account does next, in words, and by when or until when; None: there is no such time."""
        who, facts = self.who, self.facts
        if who is None or who.role is None:
            return "nothing: it is not listed for this round", None
        notes = {} if who.notes is None else who.notes
        if who.role is Role.OWNER:
            step = owner.next_step(facts, notes, owner.OwnerConduct(proposes=who.proposes))
        else:
            step = station.next_step(facts, notes, Conduct())
        match step:
            case steps.Wait(until=until, why=why):
                return f"wait: {why}", until
            case steps.Done(why=why):
                return f"nothing: {why}", None
            case steps.Stuck() if who.notes is None:  # it is about the journal, which is not at hand here
                if self.phase is Phase.REVEAL:
                    return _STEPS[steps.Reveal], facts.deadlines.reveal
                return "train, and report", facts.deadlines.report
            case steps.Stuck(why=why):
                return f"do something by hand: {why}", None
            case _:
                return _STEPS[type(step)], deadline_of(step, facts, Conduct())

    def name(self, account: str) -> str:
        """How people call a member, where its list says so."""
        found = None if self.listed is None else self.listed.find(account)
        return found.name if found is not None and found.name else account

    # ── for a program ──

    def to_json(self) -> dict[str, Any]:
        """Amounts are wei, beyond 2^53 as text; times Unix seconds of the chain's clock."""
        facts, record = self.facts, self.facts.record
        return {
            "chain_id": facts.chain_id,
            "contract": facts.contract,
            "round": facts.round_id,
            "block": facts.block,
            "time": facts.now,
            "status": facts.status.name.lower(),
            "phase": self.phase.name.lower(),
            "deadlines": {
                phase: {"at": at, "seconds_left": at - facts.now}
                for phase, at in [(phase, getattr(facts.deadlines, phase)) for phase in PHASES]
            },
            "draw": {"opens": facts.deadlines.draw_opens, "closes": facts.deadlines.draw},
            "claimant": record.claimant,
            "models": [
                {"proposer": model.proposer, "global_rounds": model.global_rounds, "live": model.live}
                for model in record.models
            ],
            "selected": record.selected,
            "global_rounds": {"recorded": len(record.global_rounds), "of": facts.global_rounds},
            "members": list(self._members_json()),
            "over": self.is_over,
            "account": self._account_json(),
        }

    def _members_json(self) -> Iterator[dict[str, Any]]:
        record = self.facts.record
        voters = {vote.account for vote in record.votes}
        for member in record.members.values():
            yield {
                "account": member.account,
                "name": self.name(member.account),
                "role": _ROLE_WORDS[member.role],
                "joined": True,
                "committed": member.committed,
                "revealed": member.words is not None,
                "claimant": member.account == record.claimant,
                "winner": member.account == record.winner,
                "recorded": len(member.updates),
                "voted": member.account in voters,
                "settled": member.settled is not None,
            }
        for account, role in self._missing():
            yield {"account": account, "name": self.name(account), "role": _ROLE_WORDS[role], "joined": False}

    def _missing(self) -> list[tuple[str, Role]]:
        """Who is listed and has not joined."""
        listed = () if self.listed is None else self.listed.members
        entries = [each.entry for each in listed]
        return [(entry.account, entry.role) for entry in entries if entry.account not in self.facts.record.members]

    def _account_json(self) -> dict[str, Any] | None:
        if self.who is None:
            return None
        step, at = self.next_step()
        return {
            "account": self.who.account,
            "name": self.name(self.who.account),
            "role": None if self.who.role is None else _ROLE_WORDS[self.who.role],
            **{key: portable(wei) for key, wei in self._money().items()},
            "next_step": step,
            "next_step_at": at,
        }

    def _money(self) -> dict[str, int]:
        """Wei: what it has or would have locked, and the most that it loses of that while it does its duties."""
        who, facts, me = self.who, self.facts, self.facts.me
        assert who is not None, "asked for where there is an account"
        lock = loss = 0
        if (me is None or me.settled is None) and who.role is not None:
            points = who.points if me is None else me.points
            lock, loss = facts.terms.lock(who.role, points), facts.terms.worst_loss(who.role, points)
        settled = me.settled if me is not None else None
        paid = {} if settled is None else {"paid": settled.payment}
        return {"lock": lock, "worst_loss": loss, **paid, "lot": facts.lot, "free_balance": facts.free_balance}

    # ── for a person ──

    def lines(self) -> list[str]:
        """As text."""
        facts, record = self.facts, self.facts.record
        status = facts.status.name.lower().replace("_", " ")
        lines = [
            f"Round {facts.round_id} of {facts.contract} on chain {facts.chain_id}",
            f"{status}, {self.phase.name.lower()} phase; block {facts.block}, {utc(facts.now)}",
            "",
            *self._deadline_lines(),
            "",
        ]
        intro = len(lines)
        if record.claimant is not None:
            lines.append(f"Claimant: {self.name(record.claimant)}")
        for index, model in enumerate(record.models):
            state = ", selected" if index == record.selected else "" if model.live else ", not live"
            lines.append(f"Model {index}: of {self.name(model.proposer)}, {model.global_rounds} global rounds{state}")
        if record.selected is not None:
            lines.append(f"Global models recorded: {len(record.global_rounds)} of {facts.global_rounds}")
        if len(lines) > intro:
            lines.append("")
        lines += self._member_lines()
        if self.who is not None:
            lines += ["", *self._position_lines()]
        return lines

    def _deadline_lines(self) -> Iterator[str]:
        facts = self.facts
        now = self.phase
        for phase in Phase:
            if (key := _DEADLINES.get(phase)) is not None:
                at = getattr(facts.deadlines, key)
            elif phase is Phase.DRAW:
                at = facts.deadlines.draw
            else:
                continue
            left = at - facts.now
            when = f"in {duration(left)}" if left > 0 else f"{duration(-left)} ago"
            yield f"{'>' if phase is now else ' '} {phase.name.lower():<7} ends {utc(at)}  {when}"

    def _member_lines(self) -> list[str]:
        head = ("member", "role", "committed", "revealed", "recorded", "voted", "settled")
        rows = [head, *(self._row(member) for member in self.facts.record.members.values())]
        rows += [
            (self.name(account), _ROLE_WORDS[role], "not joined", "", "", "", "") for account, role in self._missing()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

    def _row(self, member: MemberRecord) -> tuple[str, ...]:
        record = self.facts.record
        station = member.role is Role.BASE_STATION
        voted = any(vote.account == member.account for vote in record.votes)
        return (
            self.name(member.account),
            _ROLE_WORDS[member.role],
            _yes(member.committed),
            "claimant" if member.account == record.claimant else _yes(member.words is not None),
            f"{len(member.updates)} of {self.facts.global_rounds}" if station and self.facts.global_rounds else "",
            "" if station else "winner" if member.account == record.winner else _yes(voted),
            _yes(member.settled is not None),
        )

    def _position_lines(self) -> Iterator[str]:
        who, money = self.who, self._money()
        assert who is not None, "asked for where there is an account"
        role = "" if who.role is None else f", {_ROLE_WORDS[who.role]}"
        yield f"{self.name(who.account)}{role}"
        if money["lock"]:
            would = "locks" if self.facts.me is not None else "would lock"
            yield (
                f"  {would} {gwei(money['lock'])} gwei, and can lose {gwei(money['worst_loss'])} of it while it does "
                "its duty, all of it if it does not"
            )
        if "paid" in money:
            paid = money["paid"]
            yield f"  settled: it {'paid' if paid > 0 else 'received'} {gwei(abs(paid))} gwei"
        if money["lot"]:
            yield f"  as claimant it can claim {gwei(money['lot'])} gwei"
        yield f"  free balance {gwei(money['free_balance'])} gwei"
        step, at = self.next_step()
        when = "" if at is None else f", {'until' if step.startswith('wait') else 'by'} {utc(at)}"
        yield f"  next: {step}{when}"


def _yes(done: bool) -> str:
    return "yes" if done else "-"
