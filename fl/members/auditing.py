"""What `ape run audit` does with a member's keys: works a round out again as far as these reach."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from eth_utils import is_address, to_checksum_address

from fl.market.refusals import MarketError
from fl.market.terms import Role
from fl.members.access import Access
from fl.members.acts import NotYet
from fl.members.assembly import Desk, desk, noise_secret, station_work
from fl.members.audit import Finding, TrainingAudit, audit_training, differing_points
from fl.members.facts import Facts
from fl.members.owner_acts import Owner
from fl.members.recording import texts_of
from fl.members.replay import Replayed, replay
from fl.members.work import Judged, WorkError
from fl.shallow_json import shallow_json
from fl.store.artefacts import from_chain
from fl.store.errors import StoreError, shown
from fl.store.texts import StationsView

OWN = "own"
"""Instead of an account: the member's."""


@dataclass(frozen=True)
class Audit:
    """What an owner finds of a round.

    Attributes:
        training: of the winner's order, global models and result.
        listed: the contributions as the winner lists them, points by account.
        measured: the same by the owner's test data; None: it could not measure them, `unmeasured` says why.
        claimed_bps: accuracy of the report, 1/10,000; None: nothing is reported.
        judged: the reported model on the owner's test data; None: it could not be judged.
        votes: accuracy that each elector measured, 1/10,000, by account.
        texts: what the proposals' texts say that is in a round.json, by the name of its place there.
        findings: all that does not follow.
    """

    training: TrainingAudit
    listed: Mapping[str, int]
    measured: Mapping[str, int] | None
    unmeasured: str
    claimed_bps: int | None
    judged: Judged | None
    votes: Mapping[str, int]
    texts: Mapping[str, Any]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "findings": [asdict(each) for each in self.findings],
            "global_rounds": [
                {
                    "global_round": each.number,
                    "included": None if each.said is None else each.said.included,
                    "left_out": None if each.said is None else dict(each.said.left_out),
                    "follows": not each.findings,
                }
                for each in self.training.rounds
            ],
            "contributions": {
                "listed": dict(self.listed),
                "measured": None if self.measured is None else dict(self.measured),
            },
            "accuracy": {
                "claimed_bps": self.claimed_bps,
                "measured_bps": None if self.judged is None else self.judged.accuracy_bps,
                "votes_bps": dict(self.votes),
            },
        }

    def lines(self) -> list[str]:
        """For a person."""
        lines = [] if (text := self.training.text) is None else [_ordered(text)]
        lines += [line for each in self.training.rounds for line in _told(each.number, each.said, not each.findings)]
        if self.measured is None:
            lines.append(f"contributions: not measured: {self.unmeasured}")
        else:
            for account in sorted({*self.listed, *self.measured}):
                points = self.listed.get(account, 0), self.measured.get(account, 0)
                lines.append("contributions: {}: {:,} points listed, {:,} measured".format(account, *points))
        if self.claimed_bps is not None:
            own = "not judged" if self.judged is None else f"{self.judged.accuracy:.1%} on the own test data"
            votes = ", ".join(f"{bps / 100:.1f} %" for bps in self.votes.values()) or "none"
            lines.append(f"accuracy: claimed {self.claimed_bps / 100:.1f} %, {own}; votes: {votes}")
        return lines


def _ordered(text: StationsView) -> str:
    named = "; ".join(f"{name.replace('_', ' ')} {shown(value, 200)}" for name, value in text.training.items())
    return f"the order: {shown(text.model)} on {shown(text.dataset)}; {named}"


def _told(number: int, said: Any, follows: bool) -> list[str]:
    where = f"global round {number + 1}"
    if said is None:
        return [f"{where}: the winner left no word of what its model was made of; {_followed(follows)}"]
    head = f"{where}: of {len(said.included)} updates, {len(said.left_out)} left out; {_followed(follows)}"
    return [head, *(f"  without {account}: {reason}" for account, reason in said.left_out.items())]


def _followed(follows: bool) -> str:
    return "the model follows, bit for bit" if follows else "it does not follow"


def audit(owner: Owner, facts: Facts) -> Audit:
    """Work out again what was trained, contributed and reached.

    Raises:
        Unreachable: the store did not answer.
    """
    training, record = audit_training(owner, facts), facts.record
    findings = list(training.findings)
    measured, unmeasured, judged = None, "", None
    if record.result is not None and not training.order:
        try:
            measured = owner.measured_points(facts)
            findings += differing_points(measured, facts)
        except (StoreError, WorkError, NotYet) as error:
            unmeasured = str(error)
        try:
            judged = owner.judge(owner.order(facts), from_chain(record.result[0]), facts)
        except (StoreError, WorkError, NotYet) as error:
            findings.append(Finding(f"the reported model cannot be judged: {error}", record.winner or "", "result"))
    claimed = None if record.result is None else record.result[1]
    if judged is not None and claimed is not None and judged.accuracy_bps < claimed - facts.terms.tolerance_bps:
        reached = f"{judged.accuracy_bps / 100:.1f} % are measured, and {claimed / 100:.1f} % are claimed"
        findings.append(Finding(reached, record.winner or "", "accuracy"))
    votes = {vote.account: vote.measured_accuracy_bps for vote in record.votes}
    texts = _texts(owner, facts)
    return Audit(training, record.contributions, measured, unmeasured, claimed, judged, votes, texts, tuple(findings))


def _texts(owner: Owner, facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model, (owners, stations) in enumerate(texts_of(owner, facts)):
        if owners is not None:
            found[f"models[{model}].targets"] = list(owners.targets)
            found[f"models[{model}].claimed_accuracy"] = owners.claimed_accuracy_bps / 10_000
        if stations is not None:
            found[f"models[{model}].initial_digest"] = stations.initial_model
            found["training.initial_digest"] = stations.initial_model
            found["training.dataset"], found["training.model"] = stations.dataset, stations.model
    return found


class Checked(Protocol):
    """What came of a check of the chain (`analysis.check_round`)."""

    @property
    def found(self) -> list[str]:
        """One line for each thing that does not follow."""
        ...

    @property
    def unknown(self) -> list[str]:
        """Places in a round.json that the chain knows nothing of."""
        ...


Ask: TypeAlias = Callable[[str, Sequence[Any]], Any]
"""A JSON-RPC method with its parameters; its result."""

OnChain: TypeAlias = Callable[[Ask, str, int, int, Mapping[str, Any] | None], Checked]
"""Checks, by asking a node, a contract's round, which has no logs before a block, and a round.json of it if there is
one. This package knows nothing of the reference that does it."""


@dataclass(frozen=True)
class Report:
    """A whole audit.

    Attributes:
        round_id: the round.
        chain: what does not follow of what the chain says, or of a document.
        owner: what an owner finds; None: nobody's keys were at hand.
        texts: what does not follow of a document from the proposals' texts.
        unknown: places in a document that are held against nothing.
    """

    round_id: int
    chain: list[str]
    owner: Audit | None
    texts: list[str]
    unknown: list[str]

    @property
    def wrong(self) -> list[str]:
        """All that does not follow."""
        return [*self.chain, *self.texts, *([] if self.owner is None else map(str, self.owner.findings))]

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "round": self.round_id,
            "follows": not self.wrong,
            "chain": self.chain,
            "texts": self.texts,
            "training": None if self.owner is None else self.owner.to_json(),
            "unknown": self.unknown,
        }

    def lines(self) -> list[str]:
        """For a person."""
        lines = [] if self.chain else ["the chain: draw, selection, shares, taxes and payments follow"]
        if self.owner is None:
            lines.append("not looked at, for want of an owner's --config: global models, contributions, accuracy")
        else:
            lines += self.owner.lines()
        lines += [f"held against nothing: {name}" for name in self.unknown]
        return [*lines, *(f"does not follow: {each}" for each in self.wrong), *([] if self.wrong else ["All follows."])]


def audit_round(access: Access, round_id: int, document: Path | None, on_chain: OnChain) -> Report:
    """Audit as far as there are keys.

    Args:
        access: with an owner's member.yaml, or without one.
        round_id: the round.
        document: a round.json to hold against it all.
        on_chain: checks what the chain says.

    Raises:
        MarketError: the member is no owner, or the round cannot be read.
        StoreError: the store does not answer.
    """
    written = None if document is None else _json(document)
    if access.configuration is None:
        with access.market() as market:
            checked = on_chain(market.request, market.address, round_id, market.first_block, written)
        return Report(round_id, checked.found, None, [], checked.unknown)
    with desk(access) as ready:
        member = ready.member(round_id)
        if not isinstance(member, Owner):
            raise MarketError(
                "base stations can open no update: an owner audits the whole, a base station itself with --station own"
            )
        market = ready.market
        checked = on_chain(market.request, market.address, round_id, market.first_block, written)
        found = audit(member, ready.chronicle(round_id).facts(member.address))
    texts, unknown = [], []
    for place in checked.unknown:
        if place not in found.texts:
            unknown.append(place)
        elif (value := _at(written, place)) != found.texts[place]:
            texts.append(f"{place} is {value}, the proposal's text says {found.texts[place]}")
    return Report(round_id, checked.found, found, texts, unknown)


def _json(path: Path) -> dict[str, Any]:
    try:
        document = shallow_json(path.read_bytes())
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise MarketError(f"{path} is no round.json: {error}") from error
    if not isinstance(document, dict):
        raise MarketError(f"{path} is no round.json")
    return document


def _at(document: Any, place: str) -> Any:
    """What stands at a place as `models[0].targets`."""
    for key in re.findall(r"\w+", place):
        document = document[int(key) if key.isdecimal() else key]
    return document


def replay_station(access: Access, round_id: int, station: str) -> list[Replayed]:
    """Train again what a base station recorded, from the data that member.yaml names.

    Args:
        access: with the keys of a member who can open global models: the base station itself, or an owner.
        round_id: the round.
        station: its account, or `OWN`.

    Raises:
        MarketError: the account has not recorded anything in this round, or member.yaml names no data.
        StoreError: the winner's order cannot be had.
    """
    with desk(access) as ready:
        member = ready.member(round_id)
        facts = ready.chronicle(round_id).facts(member.address)
        account = member.address if station == OWN else station
        if not is_address(account):
            raise MarketError(f"{station} is neither an address nor the word {OWN}")
        account = str(to_checksum_address(account))
        found = facts.record.members.get(account)
        if found is None or found.role is not Role.BASE_STATION or not found.updates:
            raise MarketError(f"{account} has recorded nothing in round {round_id}")
        return list(replay(member, _work(ready, round_id), account, facts))


def _work(ready: Desk, round_id: int) -> Any:
    work = station_work(ready.configuration, noise_secret(ready.journal, round_id))
    if work is None:
        raise MarketError(f"{ready.configuration.path} names no data to train on")
    return work
