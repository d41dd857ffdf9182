"""Members that cheat, each on a real chain: who does is left out with a reason, and the others go on."""

import json
import sys
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from analysis.consortium.cheats import (
    CHEATS,
    Cheat,
    after_recording,
    declaring_again,
    file_of,
    ill,
    instead,
    replay,
    saying,
    signed_by,
)
from fl.crowdfunding.cast import Played
from fl.crowdfunding.checks import check_artefacts
from fl.market.terms import Role, Status
from fl.members.acts import Member
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.owner import NO_UPDATE
from fl.members.owner_acts import Owner
from fl.members.station_acts import BaseStation
from fl.members.steps import Aggregate, List, Report, Step, Wait
from fl.members.work import Proposal
from fl.store import canonical
from fl.store.artefacts import digest_of, to_chain
from fl.store.sealed import seal
from fl.store.signed import OrderStatement, pack
from fl.training.model.artefact import load_model, save_model
from tests.fl.members.support import assert_artefacts, scene


def copying(victim: BaseStation) -> Cheat:
    """Records the victim's digest, with the victim's file under its own name."""

    def cheat(station: BaseStation) -> None:
        def trained(honest: Any, number: int, facts: Facts) -> str:
            digest: str = victim.journal.noted(victim.round_id, f"update-{number}")
            name = victim.store.name(digest)
            station.files.write(station.store.name(digest), station.files.read(name, 2**24))
            return digest

        instead(station, "_trained", trained)

    return cheat


def link(station: BaseStation, name: str) -> None:
    """The file is a link to a device, as who writes in a folder can leave one."""
    path = Path(station.files._root) / name
    path.unlink()
    path.symlink_to("/dev/zero")


EVERY = {**CHEATS, "a device": (after_recording(link), "no plain file")}


def test_stations__that_cheat__are_absent_with_the_reason_and_the_others_go_on(chain: Any, tmp_path: Path) -> None:
    play = scene(
        chain, tmp_path, owners=2, base_stations=len(EVERY) + 7, clients=1, rounds=2, train_images=400, claim=0.1
    )
    *honest, ill_one, greedy, copier, replaying, again = play.play.stations[:7]
    cheating = dict(zip(EVERY, play.play.stations[7:], strict=True))
    for name, station in cheating.items():
        EVERY[name][0](station)
    ill(ill_one)
    saying(100_000)(greedy)
    copying(honest[0])(copier)
    replay(replaying)
    declaring_again(again)
    played = play.run()
    assert_artefacts(played)
    winner, record = played.owners[0], played.record
    for number in (0, 1):
        noted = winner.journal.noted(winner.round_id, f"aggregate-{number}")
        absent = noted["absent"]
        for name, station in cheating.items():
            assert EVERY[name][1] in absent.get(station.address, "it counts"), (name, number)
        counted = [*honest, greedy, *([again, replaying] if number == 0 else [])]
        assert set(noted["included"]) == {each.address for each in counted}, number
        assert "is signed by" in absent[copier.address]
        assert record.members[ill_one.address].updates[number] == NO_UPDATE
        assert all(len(reason) < 400 and "\n" not in reason for reason in absent.values())
    assert "another update" in absent[replaying.address]
    assert "it declared" in absent[again.address]
    points = {each.account: each.listed for each in record.members.values()}
    assert not any(points[each.address] for each in (*cheating.values(), ill_one, copier))
    assert record.status is Status.REPORTED and not record.punished
    assert all(len(record.members[each.address].updates) == 2 for each in play.play.stations), (
        "each was there, and is paid"
    )


def test_stations__that_seal_to_the_winner_alone_or_take_back__void_nobodys_contributions(
    chain: Any, tmp_path: Path
) -> None:
    """The winner passes on what it included."""
    play = scene(chain, tmp_path, base_stations=5, clients=1, train_images=200, claim=0.1, contribution="margin")
    winner, *electors = play.play.owners
    *honest, narrow, taken_back = play.play.stations

    def aggregate(honest: Any, number: int, facts: Facts) -> None:
        honest(number, facts)
        (digest,) = facts.record.members[taken_back.address].updates.values()
        taken_back.files.remove(file_of(taken_back, digest))

    for elector in electors:  # who judges by the same images measures the same, of the same updates
        elector.work = replace(elector.work, test_of=winner.work.test_of)  # type: ignore[union-attr, type-var]
    instead(narrow, "_owners", lambda honest, facts: narrow._cards([winner.address]))
    instead(winner, "_aggregate", aggregate)
    played = play.run()
    noted = winner.journal.noted(winner.round_id, "aggregate-0")
    assert set(noted["included"]) == {each.address for each in (*honest, narrow, taken_back)}
    assert [vote.uphold for vote in played.record.votes] == [True, True]
    assert sum(member.listed or 0 for member in played.record.members.values()) == 1_000_000


def test_station__that_delivers_late__is_taken_for_a_winners_lie_and_costs_nobody_a_stake(
    chain: Any, tmp_path: Path
) -> None:
    """Electors cannot tell the two: a winner whose word they took could zero an honest base station, bond and all."""
    play = scene(chain, tmp_path, base_stations=4, clients=1, train_images=200, claim=0.1, contribution="margin")
    winner, *electors = play.play.owners
    late = play.play.stations[-1]
    held: dict[str, bytes] = {}

    def hold(station: BaseStation, name: str) -> None:
        held[name] = station.files.read(name, 2**24)
        station.files.remove(name)

    def aggregate(honest: Any, number: int, facts: Facts) -> None:
        honest(number, facts)
        for name, data in held.items():
            late.files.write(name, data)

    after_recording(hold)(late)
    instead(winner, "_aggregate", aggregate)
    played = play.run()
    assert [vote.uphold for vote in played.record.votes] == [False, False]
    for elector in electors:
        assert any(f"it leaves out the update of {late.name}" in line for line in play.heard.of(elector))
    for station in play.play.stations:
        settled = played.record.members[station.address].settled
        assert settled is not None and settled.slashed == 0


def test_station__that_comes_when_joins_are_over__joins_with_its_bid(chain: Any, tmp_path: Path) -> None:
    """Its process was down until then; the commit phase is the last one in which it can come in."""
    play = scene(chain, tmp_path)
    late = play.play.stations[-1]
    honest = late.next_step

    def away(facts: Facts) -> Step:
        joins = facts.deadlines.join
        return Wait(joins, "it is down") if facts.now < joins else honest(facts)

    late.next_step = away  # type: ignore[method-assign]
    played = play.run()
    sent = {each.name: each for each in play.market.events(late.round_id) if each.values.get("member") == late.address}
    assert sent["Joined"].transaction == sent["BidCommitted"].transaction
    assert played.record.members[late.address].updates


# ── the winner ──

Forge = Callable[[Member, Member], bytes | None]
"""What a member sees in place of a file of the winner's; None: nothing."""


def sees(member: Member, winner: Member, part: str, forge: Forge) -> None:
    """The store gives this member something else than others, under the winner's names that have this part."""
    files, honest = copy(member.files), member.files

    def read(name: str, most: int) -> bytes:
        if name.startswith(winner.address) and part in name:
            honest.read(name, 2**30)  # it is there
            data, name = forge(member, winner), f"forged/{member.address}"
            honest.remove(name) if data is None else honest.write(name, data)
        return honest.read(name, most)

    files.read = read  # type: ignore[method-assign]
    member.files = files


def sealed_to(member: Member, data: bytes) -> bytes:
    found = member.listed.find(member.address)
    assert found is not None
    return seal(data, [found.card])


def order_of(winner: Member) -> Order:
    return Order.from_bytes(bytes.fromhex(winner.journal.noted(winner.round_id, "order")["order"]))


def order_signed_by(signer: Member | None, change: Callable[[Order], Order] = lambda order: order) -> Forge:
    """An order by somebody, None: by the winner."""

    def forge(member: Member, winner: Member) -> bytes:
        data = change(order_of(winner)).to_bytes()
        statement = OrderStatement(winner.round_id, digest_of(data))
        return sealed_to(member, pack(signed_by(signer or winner, statement), data))

    return forge


def unsigned(member: Member, winner: Member) -> bytes:
    return sealed_to(member, order_of(winner).to_bytes())


def signed_apart(member: Member, winner: Member) -> bytes:
    """The signature is of another order."""
    statement = OrderStatement(winner.round_id, "0x" + "11" * 32)
    return sealed_to(member, pack(signed_by(winner, statement), order_of(winner).to_bytes()))


def nothing(member: Member, winner: Member) -> None:
    """It is not there."""


def large(member: Member, winner: Member) -> bytes:
    return sealed_to(member, bytes(2**20))


def of_another_text(order: Order) -> Order:
    return replace(order, text=replace(order.text, salt="11" * 32))


def with_other_labels(order: Order) -> Order:
    return replace(order, targets=tuple(f"easier {label}" for label in order.targets))


ORDERS: dict[str, tuple[Forge, str]] = {
    "unsigned": (unsigned, "signed artefact"),
    "signed by another": (lambda member, winner: order_signed_by(member)(member, winner), "is signed by"),
    "another was signed": (signed_apart, "a signed Order is about"),
    "another text": (order_signed_by(None, of_another_text), "not of the model that was proposed"),
    "garbage": (lambda member, winner: bytes(100), "not sealed"),
    "large": (large, "at most"),
}
MODELS: dict[str, Forge] = {
    "withheld": nothing,
    "garbage": lambda member, winner: bytes(5000),
    "another": lambda member, winner: sealed_to(member, bytes(5000)),
    "large": lambda member, winner: sealed_to(member, bytes(2**22)),
}


def test_winner__orders_and_models_that_cannot_be_followed__stations_attend_and_are_paid(
    chain: Any, tmp_path: Path
) -> None:
    """Some of three honest base stations' fellows are shown something else."""
    play = scene(
        chain, tmp_path, base_stations=3 + len(ORDERS) + 1 + len(MODELS), clients=1, train_images=200, claim=0.1
    )
    winner, elector, misled = play.play.owners
    honest, rest = play.play.stations[:3], play.play.stations[3:]
    ordered, (left_alone, *modelled) = rest[: len(ORDERS)], rest[len(ORDERS) :]
    for station, (forge, _) in zip(ordered, ORDERS.values(), strict=True):
        sees(station, winner, "/order", forge)
    sees(left_alone, winner, "/order", nothing)
    for station, forge in zip(modelled, MODELS.values(), strict=True):
        sees(station, winner, "/artefacts/", forge)
    sees(misled, winner, "/order", order_signed_by(None, with_other_labels))
    played = play.run()
    assert_artefacts_by(elector, played)
    noted = winner.journal.noted(winner.round_id, "aggregate-0")
    assert set(noted["included"]) == {each.address for each in honest}
    for station, (_, reason) in zip(ordered, ORDERS.values(), strict=True):
        (said,) = (line for line in play.heard.of(station) if "cannot follow the winner's order" in line)
        assert reason in said, "once, and why"
        assert station.journal.noted(station.round_id, "order") is None, "a right one could still come"
    for station in rest:
        member = played.record.members[station.address]
        assert member.updates == {0: NO_UPDATE}
        assert member.settled is not None and member.settled.slashed == 0
    votes = {vote.account: vote for vote in played.record.votes}
    assert votes[elector.address].measured_accuracy_bps > 0
    assert votes[misled.address].measured_accuracy_bps == 0
    assert any("the order is for the labels" in line for line in play.heard.of(misled))


def assert_artefacts_by(elector: Any, played: Played) -> None:
    """As this owner finds them."""
    assert check_artefacts(replace(played, owners=(elector,))) == []


def other_shapes(proposal: Proposal) -> Proposal:
    """It starts from a model of one more class."""
    spec, _ = load_model(proposal.initial)
    other = replace(spec, classes=spec.classes + 1)
    initial = save_model(other, other.initial_state(0))
    return replace(proposal, stations=replace(proposal.stations, initial_model=digest_of(initial)), initial=initial)


def naming(**changes: Any) -> Callable[[Proposal], Proposal]:
    """Its text for base stations says something else."""
    return lambda proposal: replace(proposal, stations=replace(proposal.stations, **changes))


class _Proposing:
    """An owner's work with another proposal."""

    def __init__(self, work: Any, change: Callable[[Proposal], Proposal]):
        self._work, self._proposal = work, change(work.proposal())

    def proposal(self) -> Proposal:
        return self._proposal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


def test_winner__models_of_other_shapes_or_withheld__attended_and_punished(chain: Any, tmp_path: Path) -> None:
    play = scene(chain, tmp_path, rounds=2)
    winner, *electors = play.play.owners
    winner.work = _Proposing(winner.work, other_shapes)  # type: ignore[assignment]

    def aggregate(honest: Any, number: int, facts: Facts) -> None:
        winner.market.record_global_round(winner.account, winner.round_id, number, bytes([1] * 32), bytes(32))

    instead(winner, "_aggregate", aggregate)
    instead(winner, "measured_points", lambda honest, facts: {})
    played = play.run()
    record = played.record
    for station in play.play.stations:
        member = record.members[station.address]
        assert member.updates == {0: NO_UPDATE, 1: NO_UPDATE}
        assert member.settled is not None and member.settled.slashed == 0 < member.settled.reward
        assert any("not small-cnn" in line for line in play.heard.of(station))
    assert [vote.measured_accuracy_bps for vote in record.votes] == [0, 0]
    assert record.punished and played.document.training is None
    settled = record.members[winner.address].settled
    assert settled is not None and settled.slashed == record.terms.bond
    for elector in electors:
        assert any("cannot judge the reported model, and measures 0" in line for line in play.heard.of(elector))


def test_winner__another_size_of_its_model_and_no_report__stations_are_paid(chain: Any, tmp_path: Path) -> None:
    """Whether a model has as many parameters as its text says is seen only when it is built."""
    play = scene(chain, tmp_path)
    winner = play.play.owners[0]
    winner.work = _Proposing(winner.work, naming(parameters=2**20))  # type: ignore[assignment]
    honest = winner.next_step

    def silent(facts: Facts) -> Step:
        step = honest(facts)
        return Wait(facts.deadlines.report, "it is gone") if isinstance(step, Aggregate | List | Report) else step

    winner.next_step = silent  # type: ignore[method-assign]
    played = play.run()
    assert played.record.status is Status.ABORTED
    for station in play.play.stations:
        assert any("says that its model has 1,048,576 parameters" in line for line in play.heard.of(station))
        settled = played.record.members[station.address].settled
        assert settled is not None and settled.slashed == 0 < settled.reward


def test_winner__text_of_gigabytes__no_elector_reads_them(chain: Any, tmp_path: Path) -> None:
    """An elector whose process ends for want of memory casts no vote against an invented model."""
    play = scene(chain, tmp_path)
    winner, *electors = play.play.owners
    winner.work = _Proposing(winner.work, naming(parameters=2**28))  # type: ignore[assignment]
    asked: list[int] = []

    def aggregate(honest: Any, number: int, facts: Facts) -> None:
        digest = winner.store.put(bytes(2**22), winner._owners(facts))
        winner.market.record_global_round(winner.account, winner.round_id, number, to_chain(digest), bytes(32))

    def watched(honest: Any, name: str, most: int) -> bytes:
        if "/artefacts/" in name:
            asked.append(most)
        data: bytes = honest(name, most)
        return data

    instead(winner, "_aggregate", aggregate)
    instead(winner, "measured_points", lambda honest, facts: {})
    for elector in electors:
        elector.files = copy(elector.files)
        instead(elector.files, "read", watched)  # type: ignore[arg-type]
    played = play.run()
    assert max(asked, default=0) < 2**21
    assert [vote.measured_accuracy_bps for vote in played.record.votes] == [0, 0] and played.record.punished
    for elector in electors:
        assert any("says that its model has 268,435,456 parameters" in line for line in play.heard.of(elector))


# ── proposers ──

OWNERS, STATIONS = frozenset({Role.OWNER}), frozenset({Role.BASE_STATION})
Proposes = Callable[[Owner, dict[Role, str]], None]
"""What comes after a proposal; the names of its texts by side."""


def writing(data: Callable[[Owner, Role], bytes], sides: frozenset[Role] = OWNERS | STATIONS) -> Proposes:
    """Another text, that its readers can open."""

    def propose(owner: Owner, names: dict[Role, str]) -> None:
        for side in sides:
            owner.files.write(names[side], seal(data(owner, side), owner.listed.cards(side)))

    return propose


def removing(*sides: Role) -> Proposes:
    return lambda owner, names: [owner.files.remove(names[side]) for side in sides]  # type: ignore[return-value]


def unreadable(owner: Owner, names: dict[Role, str]) -> None:
    """Nobody has the key for it."""
    for name in names.values():
        owner.files.write(name, bytes(10_000))


def odd(owner: Owner, side: Role) -> bytes:
    """The right names, with values of other types."""
    return canonical.encode(dict.fromkeys(json.loads(owner.texts()[side].to_bytes()), -1))


def not_proposed(owner: Owner, side: Role) -> bytes:
    return replace(owner.texts()[side], salt="33" * 32).to_bytes()


def more_rounds(owner: Owner, names: dict[Role, str]) -> None:
    """What is on chain names one global round more: see below."""


def as_it_is(owner: Owner, names: dict[Role, str]) -> None:
    """The text is the one proposed, and names what nobody does for others: see `NAMING`."""


NAMING: dict[str, dict[str, Any]] = {"code of its own": {"optimizer": "antigravity:make(" + "(" * 10_000}}

TEXTS: dict[str, tuple[Proposes, frozenset[Role]]] = {
    "none": (removing(*Role), OWNERS | STATIONS),
    "none for owners": (removing(Role.OWNER), OWNERS),
    "none for base stations": (removing(Role.BASE_STATION), STATIONS),
    "unreadable": (unreadable, OWNERS | STATIONS),
    "no JSON": (writing(lambda *_: b"{"), OWNERS | STATIONS),
    "deep JSON": (writing(lambda *_: b"[" * 50_000), OWNERS | STATIONS),
    "no object": (writing(lambda *_: b"[1,2]"), OWNERS | STATIONS),
    "no text of a proposal": (writing(lambda *_: b"{}"), OWNERS | STATIONS),
    "odd values": (writing(odd), OWNERS | STATIONS),
    "another than was proposed": (writing(not_proposed), OWNERS | STATIONS),
    "ten megabytes": (writing(lambda *_: bytes(10 * 2**20)), OWNERS | STATIONS),
    "other global rounds than on chain": (more_rounds, STATIONS),
    **dict.fromkeys(NAMING, (as_it_is, STATIONS)),
}


def test_proposers__whose_texts_cannot_be_used__harm_their_own_models_alone(chain: Any, tmp_path: Path) -> None:
    """An owner bids 0 for such a model, a base station its cap, and says why; for all others the truth."""
    play = scene(chain, tmp_path, owners=1 + len(TEXTS), models=None)
    alice, *mallories = play.play.owners
    for owner, (name, (after, _)) in zip(mallories, TEXTS.items(), strict=True):
        owner.work = _Proposing(owner.work, naming(**NAMING.get(name, {})))  # type: ignore[assignment]
        instead(owner, "_propose", partial(_propose, owner, after))
    played = play.run()
    record = played.record
    assert [model.proposer for model in record.models] == [owner.address for owner in play.play.owners]
    assert record.selected == 0, "alice's"
    north = next(each for each in play.play.stations if each.address != record.claimant)
    bids = {member.name: record.members[member.address].bids(len(record.models)) for member in (alice, north)}
    for model, (owner, (name, (_, harmed))) in enumerate(zip(mallories, TEXTS.items(), strict=True), start=1):
        worth = alice.worth(owner.texts()[0])
        assert worth > 0, "else nothing is seen here"
        for member, truth, blind in ((alice, worth, 0), (north, 0, record.terms.max_station_bid)):
            is_blind = member.role in harmed
            assert bids[member.name][model] == (blind if is_blind else truth), (name, member.name)
            told = [line for line in play.heard.of(member) if line.startswith(f"bids {blind} for model {model} of ")]
            assert len(told) == is_blind, (name, member.name)
            assert all(owner.name in line and "\n" not in line for line in told)
    assert bids[alice.name][0] == alice.worth(alice.texts()[0]) and bids[north.name][0] == 0
    assert record.status is Status.REPORTED
    assert "antigravity" not in sys.modules


def _propose(owner: Owner, after: Proposes, honest: Callable[[Facts], None], facts: Facts) -> None:
    market = owner.market
    if after is more_rounds:
        lying = copy(market)
        lying.propose = lambda *said: market.propose(*said[:-1], said[-1] + 1)  # type: ignore[method-assign]
        owner.market = lying
    honest(facts)
    owner.market = market
    owners, stations = owner.texts()
    digest = owners.digest(facts.chain_id, facts.contract, owner.round_id, owner.address)
    sides = {Role.OWNER: digest, Role.BASE_STATION: stations.digest}
    after(owner, {side: f"{owner.folder(owner.address)}/texts/{each.hex()}" for side, each in sides.items()})
