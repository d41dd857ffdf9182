"""What `ape run owner`, `base_station`, `member` and `record` do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from fl.faults import Fault, line_of
from fl.market.bids import SealedBid
from fl.market.refusals import Again, MarketError
from fl.market.terms import Role
from fl.members import steps
from fl.members.access import Access
from fl.members.acts import Member, UnderWay
from fl.members.assembly import Desk, desk
from fl.members.bid_file import BidFile
from fl.members.facts import Facts
from fl.members.listing import Answer
from fl.members.owner_acts import Owner
from fl.members.rounds import bid_name, models_digest, noted_bid, sealed_bid
from fl.members.run import Runner
from fl.members.steps import Done, Step, Stuck, Wait
from fl.record.statement import Statement, statement_of
from fl.store.errors import StoreError, Unreachable, one_line, shown
from fl.store.texts import OwnersView
from fl.yaml_file import ConfigurationError

log = logging.getLogger("hcfl")

LOOK_SECONDS = 1.0
"""Between two looks while a step by hand is worked on."""

WORDS: dict[str, tuple[type[Step], ...]] = {
    "join": (steps.Join,),
    "propose": (steps.Propose,),
    "bid": (steps.Commit,),
    "draw": (steps.Draw,),
    "reveal": (steps.Reveal,),
    "select": (steps.Select,),
    "record": (steps.Deliver, steps.Aggregate, steps.Accept, steps.Train, steps.Attend),
    "report": (steps.List, steps.Report),
    "abort": (steps.Abort,),
    "vote": (steps.Vote,),
    "settle": (steps.Settle,),
    "claim": (steps.Claim,),
}
"""The steps by hand, as `ape run member` calls them."""


def run_rounds(
    access: Access, role: Role, rounds: Sequence[int], pause: float, say: Callable[[str], None] = click.echo
) -> tuple[list[str], Statement]:
    """Take a member through rounds, one after the other.

    Args:
        access: who and where.
        role: its side.
        rounds: their numbers.
        pause: seconds between two looks at the chain.
        say: told what it does.

    Returns:
        How each ended, and what all of them came to.

    Raises:
        Fault: it cannot go on.
    """
    if access.configuration is not None and access.configuration.role is not role:
        found = access.configuration.role.name.lower().replace("_", " ")
        raise MarketError(f"{access.configuration.path} is that of a member as {found}: use its command")
    with desk(access, say) as ready:
        _check_read(ready, rounds)
        ends = [f"round {round_id}: {_run(ready, round_id, pause)}" for round_id in rounds]
        try:
            return ends, statement_of(ready.market, str(access.signer().address))
        except Fault as error:
            error.add_note(f"{'; '.join(ends)}; `ape run statement` shows what that came to")
            raise


def _run(ready: Desk, round_id: int, pause: float) -> str:
    margin = max(60, ready.configuration.margins.begin)
    try:
        member = _member(ready, round_id, pause)
        return Runner(member, ready.chronicle(round_id), ready.tend, ready.alert, margin, pause).run()
    except Fault as error:
        ready.alert(f"round {round_id} is given up: {line_of(error)}")
        raise


def _check_read(ready: Desk, rounds: Sequence[int]) -> None:
    """Refuse to wait for a round whose terms nobody can have read, and to lock then whatever they ask for.

    Raises:
        ConfigurationError: there is no such round yet, and no limit.
    """
    if ready.configuration.most_lock is None and (newest := max(rounds)) > ready.market.round_count():
        raise ConfigurationError(
            f"{ready.configuration.path}: most_lock is missing: there is no round {newest} yet, and anybody can create "
            "it, with terms of its own; say how much it may lock at most, as in 400 gwei"
        )


def _member(ready: Desk, round_id: int, pause: float) -> Member:
    """The member in a round, once there is such a round: those of a list may be created one after the other."""
    said = False
    while True:
        try:
            if ready.market.round_count() >= round_id:
                return ready.member(round_id)
        except Again as error:
            log.warning("cannot read the chain: %s", error)
        else:
            if not said:
                log.info("waits: there is no round %d yet", round_id)
                said = True
        time.sleep(pause)


Prepare = Callable[[Member, Facts], None]
"""Notes what a member wants in a step before that is done."""


def by_hand(
    access: Access,
    round_id: int,
    word: str,
    prepare: Prepare = lambda member, facts: None,
    say: Callable[[str], None] = click.echo,
) -> Answer:
    """Do one step, if it is the member's next.

    Args:
        access: who and where.
        round_id: the round.
        word: of the step, in `WORDS`.
        prepare: see `Prepare`.
        say: told what it does.

    Returns:
        What came of it, for a program and for people.

    Raises:
        MarketError: it is not the next step; the text says what is.
        NotYet: it has to wait.
    """
    with desk(access, say) as ready:
        ready.tend()
        member, chronicle = ready.member(round_id), ready.chronicle(round_id)
        did, begun = 0, False
        while True:
            facts = chronicle.facts(member.address)
            step = member.next_step(facts)
            if not isinstance(step, WORDS[word]):
                break
            if not begun:
                prepare(member, facts)
                begun = True
            try:
                member.do(step, facts)
                did += 1
            except UnderWay:
                time.sleep(LOOK_SECONDS)  # and look again whether there still is time for it
        if not did:
            raise MarketError(f"{member.name} cannot {word} in round {round_id} now; next: {next_of(step, facts)}")
        after = next_of(step, facts)
        return {"member": member.name, "did": word, "next": after}, [f"{member.name}: done; next: {after}"]


def next_of(step: Step, facts: Facts) -> str:
    """A step in words."""
    match step:
        case Done(why):
            return f"nothing, {why}"
        case Stuck(why):
            return f"stuck: {why}"
        case Wait(until, why):
            when = "" if until is None else f" ({max(0, until - facts.now)} s)"
            return f"wait: {why}{when}"
        case _:
            return next(word for word, kinds in WORDS.items() if isinstance(step, kinds))


def note_bids(bids: Sequence[int]) -> Prepare:
    """Bids of one's own choice instead of the plan's."""

    def prepare(member: Member, facts: Facts) -> None:
        _check_bids(bids, member, facts)
        member.journal.note(member.round_id, bid_name(facts.record), noted_bid(SealedBid(tuple(bids))))

    return prepare


def _check_bids(bids: Sequence[int], member: Member, facts: Facts) -> None:
    if len(bids) != len(facts.record.models):
        raise MarketError(f"there are {len(facts.record.models)} models, and {len(bids)} bids were given")
    if any(bid > member.cap(facts) for bid in bids):
        raise MarketError(f"a bid is {member.cap(facts)} gwei at most in this round")


def export_bid(access: Access, round_id: int, out: Path) -> Answer:
    """Write the sealed bid to a file, for a wallet's page; where there is none yet, seal one by the plan.

    Nothing is sent.

    Raises:
        Fault: there is nothing to bid for yet, or no more.
    """
    with desk(access) as ready:
        member, facts = _seen(ready, round_id)
        if facts.me is not None and facts.me.committed:
            sealed = sealed_bid(facts, member.journal.notes(round_id))
            if sealed is None:
                raise MarketError(f"journal {member.journal.path} does not have the bid that is sealed on chain")
        elif not facts.deadlines.join <= facts.now < facts.deadlines.commit:
            raise MarketError(f"bids in round {round_id} are sealed in its commit phase, and it is not that now")
        elif facts.final < facts.deadlines.join:
            raise MarketError("the last block of proposals is not final yet: try again when it is")
        else:
            sealed = member.bid(facts)
        whose = (facts.chain_id, facts.contract, round_id, member.address)
        BidFile(*whose, models_digest(facts.record), sealed).write(out)
        said = f"{member.name}: its bid of {', '.join(map(str, sealed.bids))} gwei is in {out}: keep it to yourself"
        return {"member": member.name, "file": str(out), "bids": list(sealed.bids)}, [said]


def import_bid(access: Access, round_id: int, path: Path) -> Answer:
    """Note the sealed bid of a file in the journal: it is what the member commits, or opens if that has been done.

    Nothing is sent.

    Raises:
        Fault: it is another's, for something else, or not the one that is sealed on chain.
    """
    found = BidFile.read(path)
    with desk(access) as ready:
        member, facts = _seen(ready, round_id)
        for what, here, there in (
            ("on chain", facts.chain_id, found.chain_id),
            ("on contract", facts.contract, found.contract),
            ("in round", round_id, found.round_id),
            ("of", member.address, found.account),
        ):
            if here != there:
                raise MarketError(f"{path} is a bid {what} {there}, not {what} {here}")
        name = bid_name(facts.record)
        if facts.me is None or not facts.me.committed:
            if found.models != models_digest(facts.record):
                raise MarketError(
                    f"{path} is a bid for other models than those of round {round_id}, or in another order"
                )
            _check_bids(found.sealed.bids, member, facts)
        else:  # whatever has become of the models: unopened it costs the bond
            commitment = found.sealed.commitment(facts.chain_id, facts.contract, round_id, member.address)
            if commitment != facts.me.commitment:
                raise MarketError(f"{path} is not the bid that {member.name} has sealed on chain")
            # The journal may have noted another that was never sent.
            name = f"bid-{commitment.hex()[:16]}"
        member.journal.note(round_id, name, noted_bid(found.sealed))
        after = next_of(member.next_step(facts), facts)
        document = {"member": member.name, "bids": list(found.sealed.bids), "next": after}
        return document, [f"{member.name}: the journal has the bid; next: {after}"]


def texts(access: Access, round_id: int) -> Answer:
    """What the member may read of each proposal, and what it would bid by its plan; nothing is sent or noted.

    Raises:
        Fault: the store does not answer.
    """
    with desk(access) as ready:
        member, facts = _seen(ready, round_id)
        told = [_told(member, model, facts) for model in range(len(facts.record.models))]
        return {"member": member.name, "texts": told}, told or ["no model is proposed yet"]


def _told(member: Member, model: int, facts: Facts) -> str:
    proposer = facts.record.models[model].proposer
    try:
        view = member.view(model, facts)
        bid = member.planned_bid(model, facts)
    except Unreachable:
        raise
    except (StoreError, ConfigurationError) as error:
        return f"model {model} of {proposer}: {one_line(error)}; it is bid for blindly: {member.blind_bid(facts)} gwei"
    said = {name: value for name, value in asdict(view).items() if name != "salt"}
    if isinstance(view, OwnersView):
        said = {"claimed accuracy": f"{view.claimed_accuracy_bps / 100} %", "labels": ", ".join(view.targets)}
    words = "; ".join(f"{name.replace('_', ' ')} {shown(value, 200)}" for name, value in said.items())
    return f"model {model} of {proposer}: {words}; by the plan {bid} gwei"


def _seen(ready: Desk, round_id: int) -> tuple[Member, Facts]:
    member = ready.member(round_id)
    return member, ready.chronicle(round_id).facts(member.address)


def note_vote(accuracy_bps: int, uphold: bool) -> Prepare:
    """A vote of one's own choice instead of what is measured."""
    return lambda member, facts: member.journal.note(
        member.round_id, "measured", {"accuracy_bps": accuracy_bps, "uphold": uphold}
    )


def withdraw(access: Access, amount: int | None, to: str | None) -> Answer:
    """Take out what no round holds.

    Args:
        access: who and where.
        amount: wei; None: all.
        to: an address; None: the member's own account.

    Raises:
        MarketError: there is not so much, or the receiver does not take it.
    """
    from fl.market.deployment import check_address

    if to is not None:
        check_address(to)
    with desk(access) as ready:
        account = access.signer()
        free = ready.market.free_balance(str(account.address))
        wei = free if amount is None else amount
        if not wei:
            raise MarketError(f"{account.address} has nothing that no round holds")
        receiver = str(account.address) if to is None else to
        ready.market.withdraw(account, wei, receiver)
        return {"wei": str(wei), "to": receiver}, [f"{wei} wei withdrawn to {receiver}"]


def record(access: Access, round_id: int, out: Path) -> Answer:
    """Write round.json of a finished round, from the chain and what the member can open.

    Raises:
        MarketError: it is not finished, or the member is no owner.
        Fault: something of it cannot be had.
    """
    from fl.members.recording import document, texts_of
    from fl.record.document import write

    with desk(access) as ready:
        member, chronicle = ready.member(round_id), ready.chronicle(round_id)
        if not isinstance(member, Owner):
            raise MarketError("the document of a round is written by an owner: base stations cannot read all of it")
        facts = chronicle.facts(member.address)
        if not facts.settlement_open or facts.unsettled:
            raise MarketError(f"round {round_id} is not settled yet")
        write(document(member, facts, ready.market, chronicle.events, texts_of(member, facts)), out)
        return {"file": str(out)}, [f"Written: {out}"]
