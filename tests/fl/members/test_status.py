"""What `ape run status` makes of the chain: the contract's own phase, and what each account does next."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from analysis.devnode.chain import Chain
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.client import Block, Market
from fl.market.events import Event
from fl.market.refusals import Again
from fl.market.terms import GWEI, Phase, Status
from fl.members.facts import Chronicle, Facts
from fl.members.status import RoundStatus, Who, phase_of

NOBODY = "0x" + "00" * 20


@cache
def chronicle_of(round_: LiveRound) -> Chronicle:
    return Chronicle(Market.at(round_.market.address), round_.id)


def facts_of(round_: LiveRound, account: str = NOBODY) -> Facts:
    return chronicle_of(round_).facts(account)


def status_of(round_: LiveRound, seat: Seat, **known: object) -> RoundStatus:
    facts = facts_of(round_, seat.account)
    return RoundStatus(facts, who=Who(seat.account, seat.role, seat.points, **known))  # type: ignore[arg-type]


def next_of(round_: LiveRound, seat: Seat, **known: object) -> str:
    return status_of(round_, seat, **known).next_step()[0]


def walk(round_: LiveRound) -> Iterator[str]:
    """A round from its creation to its end; stops wherever something has changed."""
    yield "created"
    round_.joined()
    yield "joined"
    round_.wait_for("join")
    yield "join closed"
    round_.committed()
    yield "committed"
    round_.wait_for("commit")
    yield "commit closed"
    round_.drawn()
    yield "drawn"
    round_.revealed(but=[round_.owners[0]])
    yield "all but one revealed"
    round_.reveal_bid(round_.owners[0]).send()
    yield "revealed"
    round_.selected()
    yield "selected"
    round_.trained()
    yield "trained"
    round_.wait_for("train")
    yield "train closed"
    round_.reported()
    yield "reported"
    round_.voted()
    yield "voted"
    round_.settled()
    yield "settled"
    round_.claim_lot().send()
    yield "claimed"


class Behind(Market):
    """Several nodes behind an address: logs are of one that lacks the newest block, now and then."""

    behind = False
    without: frozenset[str] = frozenset()

    def events(self, *args: Any, **options: Any) -> list[Event]:
        _, _, last, _ = args
        found = super().events(*args, **options)
        return [each for each in found if each.name not in self.without and not (self.behind and each.block == last)]

    def block(self, which: int | str) -> Block:
        if self.behind and which != "latest":
            raise Again("block: the node does not answer any more")
        return super().block(which)


def test_facts__logs_of_a_node_that_is_behind__are_read_again(create_round: CreateRound) -> None:
    """A member that takes them for all there are never sees what was in them, such as the draw."""
    round_ = create_round()
    market = Behind.at(round_.market.address)
    assert isinstance(market, Behind)
    chronicle = Chronicle(market, round_.id)
    chronicle.facts(NOBODY)
    round_.joined()
    market.behind = True
    with pytest.raises(Again):
        chronicle.facts(NOBODY)
    market.behind = False
    assert chronicle.facts(NOBODY) == facts_of(round_)


def test_facts__logs_that_only_the_node_that_gave_them_did_not_have_yet__are_found_later(
    create_round: CreateRound,
) -> None:
    """Another node said which block is the newest: nothing shows at once that some of its logs are missing."""
    round_ = create_round().committed()
    market = Behind.at(round_.market.address)
    assert isinstance(market, Behind)
    chronicle = Chronicle(market, round_.id)
    chronicle.facts(NOBODY)
    round_.revealed()
    market.without = frozenset({"BidRevealed"})
    chronicle.facts(NOBODY)
    market.without = frozenset()
    round_.selected()
    assert chronicle.facts(NOBODY) == facts_of(round_)


def test_facts__logs_that_are_not_all_of_them__are_read_again(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    market = Behind.at(round_.market.address)
    assert isinstance(market, Behind)
    chronicle = Chronicle(market, round_.id)
    for lacking in ("RoundCreated", "Joined"):
        market.without = frozenset({lacking})
        with pytest.raises(Again, match="does not give all of its logs"):
            chronicle.facts(NOBODY)
    market.without = frozenset()
    assert chronicle.facts(NOBODY) == facts_of(round_)


def test_phase__whole_round__is_the_contracts_at_every_step(create_round: CreateRound) -> None:
    round_ = create_round()
    seen, market = [], Market.at(round_.market.address)
    for step in walk(round_):
        facts, state = facts_of(round_), market.round_state(round_.id)
        assert (phase_of(facts), facts.status) == (state.phase, state.status), step
        assert RoundStatus(facts).is_over == (step == "claimed"), step
        seen.append(phase_of(facts))
        lines = status_of(round_, round_.stations[0]).lines()
        assert [line for line in lines if line != line.rstrip()] == [], step
        assert "\n\n\n" not in "\n".join(lines), step
        assert sum(line.startswith(">") for line in lines) == (state.phase is not Phase.SETTLE), step
    assert set(seen) == set(Phase), "every phase was there"


@pytest.mark.parametrize("end", ["commit", "draw", "select", "report"])
def test_phase__nobody_acts__is_the_contracts_around_every_deadline(create_round: CreateRound, end: str) -> None:
    """Too few to be held, not drawn, not selected, never reported."""
    round_ = create_round()
    if end == "draw":
        round_.committed()
    elif end == "select":
        round_.drawn()
    elif end == "report":
        round_.selected()
    deadlines = round_.terms.deadlines
    times = (deadlines.commit, deadlines.draw, deadlines.reveal, deadlines.select, deadlines.train, deadlines.report)
    market = Market.at(round_.market.address)
    for at in times:
        for time in (at - 1, at):
            round_.market.chain.travel_to(time)
            facts, state = facts_of(round_), market.round_state(round_.id)
            assert (phase_of(facts), facts.status) == (state.phase, state.status), (at, time)
    assert facts.status is (Status.TRAINING if end == "report" else Status.CANCELLED)


def test_next_step__whole_round__each_side_is_told_its_own(create_round: CreateRound) -> None:
    """Without a journal at hand: what it would do with it is told all the same."""
    round_ = create_round()
    bob, north = round_.owners[1], round_.stations[0]  # bob's model is selected
    said = {step: (next_of(round_, bob), next_of(round_, north)) for step in walk(round_)}
    assert said["created"] == ("join: lock what the terms ask for",) * 2
    assert said["joined"] == ("wait: models are proposed until then",) * 2
    assert said["join closed"] == ("seal a bid for each model",) * 2
    assert said["committed"] == ("wait: bids are sealed until then",) * 2
    assert said["drawn"] == ("reveal the sealed bids",) * 2
    assert said["all but one revealed"] == ("wait: the others have not revealed yet",) * 2
    assert said["revealed"] == ("select the model; anyone may",) * 2
    assert said["selected"][1] == "read the winner's order and declare the number of training samples"
    assert said["train closed"][0] == "train, and report"
    assert said["voted"] == ("settle; anyone may, for anyone",) * 2
    assert said["claimed"] == ("nothing: the round is settled",) * 2


def test_next_step__claimant__stands_aside_and_claims(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    assert next_of(round_, round_.claimant).startswith("wait: the others")
    round_.voted()
    round_.settled()
    assert next_of(round_, round_.claimant) == "claim the lot"


def test_next_step__journal_at_hand_without_the_bid__says_so(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    said = next_of(round_, round_.owners[0], notes={})
    assert said.startswith("do something by hand: the journal does not have the")


def test_next_step__winner_is_late__anyone_ends_it(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.wait_for("report")
    assert next_of(round_, round_.stations[0]) == "end the round, whose winner has not reported; anyone may"


def test_position__before_and_after__what_is_locked_and_what_it_came_to(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    before = status_of(round_, alice).to_json()["account"]
    assert (before["lock"], before["worst_loss"]) == (400 * GWEI, 200 * GWEI)
    assert any("would lock 400 gwei, and can lose 200" in line for line in status_of(round_, alice).lines())
    round_.joined()
    assert any("locks 400 gwei, and can lose 200" in line for line in status_of(round_, alice).lines())
    round_.voted()
    round_.settled()
    after = status_of(round_, alice).to_json()["account"]
    assert (after["lock"], after["worst_loss"]) == (0, 0)
    assert after["free_balance"] == 400 * GWEI - after["paid"] == round_.market.free(alice.account)
    assert any("settled: it paid" in line for line in status_of(round_, alice).lines())


def test_members__whole_round__who_has_done_what(create_round: CreateRound) -> None:
    round_ = create_round()
    table = {}
    for step in walk(round_):
        table[step] = {each["account"]: each for each in RoundStatus(facts_of(round_)).to_json()["members"]}
    bob, north, claimant = (seat.account for seat in (round_.owners[1], round_.stations[0], round_.claimant))
    assert table["created"] == {}
    assert [table[step][bob]["committed"] for step in ("joined", "committed")] == [False, True]
    assert [table[step][north]["revealed"] for step in ("drawn", "revealed")] == [False, True]
    assert [table[step][claimant]["claimant"] for step in ("committed", "drawn")] == [False, True]
    assert not table["claimed"][claimant]["revealed"]
    assert table["selected"][bob]["winner"]
    assert [table[step][north]["recorded"] for step in ("selected", "trained")] == [0, round_.state.globalRounds]
    electors = {seat.account for seat in round_.owners} - {bob}
    assert {account for account, each in table["voted"].items() if each["voted"]} == electors
    assert all(each["settled"] for each in table["settled"].values())


def test_facts__read_while_the_chain_goes_on__are_of_one_block(create_round: CreateRound, node: Chain) -> None:
    round_ = create_round().joined()
    facts = facts_of(round_)
    block = node.rpc("eth_getBlockByNumber", hex(facts.block), False)
    assert int(block["timestamp"], 16) == facts.now
    assert {each.account for each in facts.record.members.values()} == {seat.account for seat in round_.members}
