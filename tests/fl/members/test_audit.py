"""A winner that forges each of its global models in another way, on a real node: electors find and name all of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from eth_account import Account

from fl.crowdfunding.cast import Played
from fl.members.aggregation import MOST_BYTES, Aggregation, against_chain, most_bytes
from fl.members.audit import UPHOLD_WITHIN, TrainingAudit, audit_training, differing_points
from fl.members.auditing import audit
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.owner import cut_of
from fl.members.owner_acts import Owner
from fl.members.replay import replay
from fl.members.work import Aggregated, Delivered, Updates, WorkError
from fl.store import canonical
from fl.store.artefacts import digest_of, from_chain
from fl.store.errors import Missing, Unreachable, ViewError
from fl.store.signed import AggregationStatement, OrderStatement, Signed
from fl.training.update import load_update, save_update
from tests.fl.members.support import Heard, scene

STRATEGY = "FedAdam(tau=0.01)"
SETTINGS = {
    "rounds": 9,
    "optimizer": "AdamW",
    "learning_rate": 0.003,
    "loss": "cross_entropy(label_smoothing=0.1)",
    "client_bits": 8,
    "strategy": STRATEGY,
    "clients": 1,
    "train_images": 60,
    "test_images": 60,
    "claim": 0.6,
    "workers": 0,
    "local_epochs": 1,
    "edge_aggregations": 1,
}

SOMEBODY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MANY = [Account.from_key(number.to_bytes(32)).address for number in range(1, 41)]

Forged = Callable[[Updates], Updates]


def _changed(change: Callable[[Delivered, Delivered], Delivered]) -> Forged:
    """The first update changed, with a second one at hand."""

    def forged(updates: Updates) -> Updates:
        (account, one), (_, other), *_ = updates.delivered.items()
        return replace(updates, delivered={**updates.delivered, account: change(one, other)})

    return forged


def _swapped(one: Delivered, other: Delivered) -> Delivered:
    theirs = load_update(other.data)
    return replace(one, data=save_update(replace(load_update(one.data), state=theirs.state)))


def _scaled(one: Delivered, other: Delivered) -> Delivered:
    update = load_update(one.data)
    state = {name: tensor * 3 for name, tensor in update.state.items()}
    return replace(one, data=save_update(replace(update, state=state)))


def _one_less(updates: Updates) -> Updates:
    return replace(updates, delivered=dict(list(updates.delivered.items())[1:]))


HONEST, SAID, SILENTLY, SWAPPED, ANOTHERS, DOUBLED, SCALED, FORGOTTEN, LAST = range(9)
"""What the winner does in each global round."""

FORGED: dict[int, Forged] = {
    SILENTLY: _one_less,
    SWAPPED: _changed(_swapped),
    DOUBLED: _changed(lambda one, other: replace(one, weight=2 * one.weight)),
    SCALED: _changed(_scaled),
}


class Forger(Owner):
    """An owner that would rather have another model."""

    def collect(self, number: int, facts: Facts, order: Order, **options: Any) -> Updates:
        updates = super().collect(number, facts, order, **options)
        if number != SAID or "aggregate-1" in self.journal.notes(self.round_id):
            return updates
        victim, *rest = updates.delivered
        delivered = {account: updates.delivered[account] for account in rest}
        return Updates(delivered, {victim: "its update is not there"}, 1)

    def aggregated(self, number: int, facts: Facts, order: Order, updates: Updates, carried: bytes) -> Aggregated:
        """What the strategy carries stays honest: each forgery is of one global model alone."""
        honest = super().aggregated(number, facts, order, updates, carried)
        if number == ANOTHERS:
            return replace(honest, model=self.global_model(number - 1, facts, order))
        forged = FORGED[number](updates) if number in FORGED else updates
        before = b"" if number == FORGOTTEN else carried
        return replace(honest, model=super().aggregated(number, facts, order, forged, before).model)

    def measured_points(self, facts: Facts) -> dict[str, int]:
        """The last gets what is the others'."""
        points = super().measured_points(facts)
        *_, last = points
        most = 2_000_000 // len(points)
        rest = (1_000_000 - most) // (len(points) - 1)
        shifted = {account: most if account == last else rest for account in points}
        return {**shifted, last: 1_000_000 - rest * (len(points) - 1)}


@pytest.fixture(scope="module")
def forged(chain: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Played, Heard]]:
    """A round whose winner forges, and what its members said."""
    round_ = scene(chain, tmp_path_factory.mktemp("forged"), **SETTINGS)
    round_.play.owners[0].__class__ = Forger
    with closing(round_.play):
        round_.go()
        done = round_.play.played()
        assert done.record.winner == done.owners[0].address, "nothing was trained: the tests would look at nothing"
        yield done, round_.heard


@pytest.fixture(scope="module")
def played(forged: tuple[Played, Heard]) -> Played:
    return forged[0]


@pytest.fixture(scope="module")
def elector(played: Played) -> Owner:
    owner: Owner = played.owners[1]
    return owner


@pytest.fixture(scope="module")
def audited(played: Played, elector: Owner) -> TrainingAudit:
    return audit_training(elector, played.facts)


def _found(audited: TrainingAudit, number: int) -> str:
    """What is found of a global round; the winner signed it."""
    return "\n".join(each.what for each in audited.rounds[number].findings)


@pytest.mark.parametrize("number", [HONEST, LAST])
def test_audit__honest_global_round__follows(audited: TrainingAudit, number: int) -> None:
    """The last by what the strategy has carried since the first, whatever models are forged in between."""
    assert audited.rounds[number].findings == ()
    said = audited.rounds[number].said
    assert said is not None and len(said.included) == 3 and not said.left_out


def test_audit__update_left_out_with_a_lie__named_with_the_reason(audited: TrainingAudit, played: Played) -> None:
    victim = played.base_stations[0].address
    (finding,) = audited.rounds[SAID].findings
    assert finding.what == f"it leaves out the update of {victim}, which counts; its reason: its update is not there"
    assert finding.signer == played.record.winner
    said = audited.rounds[SAID].said
    assert said is not None and said.left_out == {victim: "its update is not there"}


def test_carried__by_who_noted_nothing__is_what_the_winner_carries(played: Played, elector: Owner) -> None:
    """A winner that goes on with a copy of its journal alone finds it again, too."""
    winner = played.owners[0]
    noted, found = (owner._carried(LAST, played.facts) for owner in (winner, elector))
    assert noted == found != b""
    name = winner.journal.noted(winner.round_id, f"aggregate-{LAST - 1}")["carried"]
    kept = Path(winner._own_models.files._place(winner._own_models.name(name)))
    kept.unlink()
    try:
        assert winner._carried(LAST, played.facts) == found
    finally:
        kept.write_bytes(found)


@pytest.mark.parametrize("number", [SILENTLY, SWAPPED, DOUBLED, SCALED, ANOTHERS, FORGOTTEN])
def test_audit__model_of_other_updates__named(audited: TrainingAudit, played: Played, number: int) -> None:
    (finding,) = audited.rounds[number].findings
    model = "0x" + played.record.global_rounds[number][0].hex()
    made = f"{STRATEGY} with mean of the 3 updates that it names makes 0x"
    assert finding.what.startswith(f"its model is {model}, and {made}")
    assert (finding.signer, finding.where) == (played.record.winner, f"global round {number + 1}")


def test_audit__digest_of_another_round__is_the_one_recorded(played: Played) -> None:
    """The forgery is what it is called: the artefact is there, and belongs to the global round before."""
    rounds = played.record.global_rounds
    assert rounds[ANOTHERS][0] == rounds[ANOTHERS - 2][0]


def test_audit__contributions_moved__each_that_differs_is_named(elector: Owner, played: Played) -> None:
    measured = elector.measured_points(played.facts)
    findings = differing_points(measured, played.facts)
    assert findings, "the winner moved points from two stations to the third"
    listed = {account: played.record.members[account].listed or 0 for account in measured}
    far = {account for account in measured if abs(listed[account] - measured[account]) > UPHOLD_WITHIN}
    assert {account for account in far if any(account in each.what for each in findings)} == far
    assert len(findings) == len(far)
    assert {each.signer for each in findings} == {played.record.winner}
    assert differing_points(listed, played.facts) == ()


def test_vote__training_that_does_not_follow__is_not_upheld_and_why_is_said(forged: tuple[Played, Heard]) -> None:
    played, heard = forged
    assert [vote.uphold for vote in played.record.votes] == [False, False]
    assert not played.document.upheld
    for elector in played.owners[1:]:
        said = [what for what in heard.of(elector) if "does not uphold: global round" in what]
        assert len(said) == 7, "one for each forged global round"


# ── what the winner can still put into the store ──


def _order_again(winner: Owner, order: Order) -> None:
    data = order.to_bytes()
    cards = winner._cards(each.address for each in [winner])
    everybody = [*cards, *winner.listed.cards(winner.role)]
    winner._leave("order", winner._sign(OrderStatement(winner.round_id, digest_of(data))), data, everybody)


def test_audit__order_for_other_labels_than_the_claim__named(played: Played, elector: Owner) -> None:
    winner, order = played.owners[0], elector.order(played.facts)
    others = (*order.targets[:-1], "none of these")
    try:
        _order_again(winner, replace(order, targets=others))
        (finding,) = audit_training(elector, played.facts).findings
    finally:
        _order_again(winner, order)
    assert "none of these" in finding.what
    assert (finding.signer, finding.where) == (played.record.winner, "order")


def test_audit__word_of_another_global_round__refused(played: Played, elector: Owner) -> None:
    winner, facts = played.owners[0], played.facts
    data = winner.aggregation(HONEST, facts).to_bytes()
    cards = winner.listed.cards(winner.role)
    statement = AggregationStatement(winner.round_id, 1, digest_of(data))
    try:
        winner._leave("aggregation-0", winner._sign(statement), data, cards)
        with pytest.raises(ViewError, match="another global round"):
            elector.aggregation(HONEST, facts)
    finally:
        winner._leave_aggregation(HONEST, data, facts)


def test_aggregation__no_word_of_it__of_all_that_was_recorded(played: Played, elector: Owner) -> None:
    """A winner with another client leaves none; where it averaged all, all still follows."""
    place = elector.files._place(f"{played.record.winner}/rounds/{elector.market.address}/{elector.round_id}")
    files = {name: Path(place, f"aggregation-{name}").read_bytes() for name in (HONEST, SAID)}
    try:
        for name in files:
            Path(place, f"aggregation-{name}").unlink()
        with pytest.raises(Missing):
            elector.aggregation(HONEST, played.facts)
        audited = audit_training(elector, played.facts)
    finally:
        for name, content in files.items():
            Path(place, f"aggregation-{name}").write_bytes(content)
    assert (audited.rounds[HONEST].said, audited.rounds[HONEST].findings) == (None, ())
    assert "the root that it recorded is not that of the 3 updates" in _found(audited, SAID)


# ── what the chain knows of the winner's word ──


@pytest.fixture
def said(audited: TrainingAudit) -> Aggregation:
    found = audited.rounds[HONEST].said
    assert found is not None
    return found


def _without(said: Aggregation, account: str, reason: str | None = "late") -> Aggregation:
    recorded = {each: digest for each, digest in said.recorded.items() if each != account}
    return replace(said, recorded=recorded, left_out={} if reason is None else {account: reason})


def test_against_chain__honest__nothing(said: Aggregation, played: Played) -> None:
    assert list(against_chain(said, HONEST, played.facts, 0)) == []


def test_against_chain__what_was_there_in_time__named(said: Aggregation, played: Played) -> None:
    account, stranger = next(iter(said.recorded)), "0x" + "11" * 20
    facts = played.facts
    late, cut = replace(said, block=0), cut_of(facts, HONEST)

    def found(changed: Aggregation, time: int = 0) -> list[str]:
        return list(against_chain(changed, HONEST, facts, time))

    assert found(_without(said, account)) == [
        f"it says that {account} had recorded nothing by block {said.block}, and it had"
    ]
    assert found(_without(late, account), cut - 7) == [f"it did not wait for {account}, which had 7 s left"]
    assert found(_without(late, account), cut) == [], "whoever is late is late"
    assert found(_without(said, account, None)) == [f"it says nothing of {account}, which trains"]
    forged = replace(said, recorded={**said.recorded, account: "0x" + "22" * 32})
    assert found(forged) == [f"it says that {account} recorded {'0x' + '22' * 32}, which is not on chain"]
    assert found(replace(said, left_out={stranger: ""})) == [f"it names {stranger}, which does not train"]


def test_aggregation__bytes__read_back_and_damage_is_refused(said: Aggregation) -> None:
    assert Aggregation.from_bytes(said.to_bytes()) == said
    noisy = Aggregation.of(1, {SOMEBODY: bytes(32)}, {SOMEBODY: "[{" * 500})
    assert Aggregation.from_bytes(noisy.to_bytes()).refused == 1
    for data in (b"{}", said.to_bytes()[:-1], b'{"block":-1,"left_out":{},"recorded":{}}'):
        with pytest.raises(ViewError):
            Aggregation.from_bytes(data)
    with pytest.raises(ViewError):
        Aggregation.from_bytes(canonical.encode({"block": 1, "left_out": {SOMEBODY: 1}, "recorded": {}}))
    most = Aggregation.of(2**53, {each: bytes(32) for each in MANY}, dict.fromkeys(MANY, "\U0001f3e5" * 300)).to_bytes()
    assert len(most) <= most_bytes(len(MANY)) < most_bytes(2**20) == MOST_BYTES


@pytest.mark.parametrize("part", ["recorded", "left_out"])
@pytest.mark.parametrize("account", ["\x1b[2J", "a\nb", "x" * 10_000, SOMEBODY.lower(), ""])
def test_aggregation__account_that_is_none__refused(said: Aggregation, part: str, account: str) -> None:
    """It is shown in the terminals of others, as the reasons are."""
    word = json.loads(said.to_bytes())
    word[part][account] = "0x" + "11" * 32
    with pytest.raises(ViewError, match=f"{part} of an aggregation names .*, which is no account") as refused:
        Aggregation.from_bytes(canonical.encode(word))
    assert str(refused.value).isprintable() and len(str(refused.value)) < 200


def test_vote__word_of_thousands_that_do_not_train__not_read(played: Played, elector: Owner) -> None:
    """Each would be a line in the elector's log: of all global rounds gigabytes."""
    winner, facts = played.owners[0], played.facts
    many = {Account.create().address: "0x" + "11" * 32 for _ in range(200)}
    word = replace(winner.aggregation(HONEST, facts), recorded=many)
    with instead_of(_left(elector, winner, "aggregation-0")):
        winner._leave_aggregation(HONEST, word.to_bytes(), facts)
        found = audit_training(elector, facts).rounds[HONEST]
    assert found.said is None and len(found.findings) == 1
    assert "at most" in found.findings[0].what


# ── what the winner says or leaves, so that electors stumble ──


@contextmanager
def instead_of(place: Path) -> Iterator[None]:
    """What is written there meanwhile is taken back."""
    before = place.read_bytes()
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        place.write_bytes(before)


def _left(owner: Owner, winner: Owner, name: str) -> Path:
    return Path(owner.files._place(f"{winner.folder(winner.address)}/{name}"))


@pytest.mark.parametrize("change", [{"block": 2**53}, {"block": 10**6}], ids=["of no chain", "of the future"])
def test_vote__word_names_a_block_that_is_not_there__named_and_no_vote_is_missed(
    played: Played, elector: Owner, change: dict[str, int]
) -> None:
    """The node has no such block: who asks it again and again never votes, and an overclaim goes unpunished."""
    winner, facts = played.owners[0], played.facts
    word = replace(winner.aggregation(HONEST, facts), **change)
    with instead_of(_left(elector, winner, "aggregation-0")):
        winner._leave_aggregation(HONEST, word.to_bytes(), facts)
        assert "block" in _found(audit_training(elector, facts), HONEST)
        assert not elector._upholds(facts)


@pytest.mark.parametrize("digest", ["zz", "0x" + "FF" * 32, "0x12", ""])
def test_vote__word_names_what_is_no_digest__named_and_no_vote_is_missed(
    played: Played, elector: Owner, digest: str
) -> None:
    winner, facts = played.owners[0], played.facts
    word = json.loads(winner.aggregation(HONEST, facts).to_bytes())
    word["recorded"][played.base_stations[0].address] = digest
    with instead_of(_left(elector, winner, "aggregation-0")):
        winner._leave_aggregation(HONEST, canonical.encode(word), facts)
        assert "recorded of an aggregation" in _found(audit_training(elector, facts), HONEST)
        assert not elector._upholds(facts)


@pytest.mark.parametrize("reason", ["\x1b[2J", "a\nb", "x" * 301])
def test_aggregation__reason_that_is_no_short_line__refused(said: Aggregation, reason: str) -> None:
    """It is shown in the terminals of others."""
    word = {**json.loads(said.to_bytes()), "left_out": {SOMEBODY: reason}}
    with pytest.raises(ViewError, match="left_out of an aggregation"):
        Aggregation.from_bytes(canonical.encode(word))
    assert Aggregation.of(1, {}, {SOMEBODY: reason}).left_out[SOMEBODY].isprintable(), "an honest winner's own words"


@pytest.mark.parametrize("what", ["a link", "not given"])
@pytest.mark.parametrize("name", ["update", "declaration"])
def test_collect__winner_leaves_what_nobody_can_read__the_stations_own_counts(
    played: Played, elector: Owner, name: str, what: str
) -> None:
    """Else a winner could leave out an honest station with an excuse that holds, and take its stake by the list."""
    winner, station, facts = played.owners[0], played.base_stations[0], replace(played.facts, account=elector.address)
    digest = from_chain(played.record.members[station.address].updates[HONEST])
    names = {"update": f"artefacts/{digest[2:]}", "declaration": f"declaration-{station.address}"}
    place, files = _left(elector, winner, names[name]), copy(elector.files)
    read = files.read

    def never(asked: str, most: int) -> bytes:
        if asked.startswith(winner.address) and asked.endswith(names[name]):
            raise Unreachable("its key is not to be had")
        return read(asked, most)

    with instead_of(place), _without_notes(elector):
        if what == "a link":
            place.unlink()
            place.symlink_to("/dev/zero")
        else:
            files.read = never  # type: ignore[method-assign]
        found = replace(elector, files=files).collect(HONEST, facts, elector.order(facts))
    assert station.address in found.delivered, found.absent


@contextmanager
def _without_notes(owner: Owner) -> Iterator[None]:
    """As before it had read anything."""
    noted = owner.journal.noted
    owner.journal.noted = lambda *asked: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        owner.journal.noted = noted  # type: ignore[method-assign]


def test_vote__audit_that_takes_longer_than_there_is_time__is_given_up_for_the_vote(
    played: Played, elector: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of so many global rounds that nobody is done with them would never be punished."""
    facts = replace(played.facts, now=played.facts.deadlines.vote - 300)
    begun, check = monotonic(), elector._own_work().check
    asked = []

    def slow(*what: Any) -> int:
        asked.append(what)
        return check(*what)

    monkeypatch.setattr("fl.members.elector.monotonic", lambda: begun + 60 * len(asked))
    monkeypatch.setattr(type(elector._own_work()), "check", lambda self, *what: slow(*what))
    assert not elector._upholds(facts)
    assert 3 <= len(asked) <= 6, "of 9 global rounds"
    monkeypatch.undo()
    assert len(elector.collect(HONEST, played.facts, elector.order(played.facts)).delivered) == 3, "no limit is left"


# ── the whole, as `ape run audit` shows it ──


def test_audit_command__dishonest_winner__all_is_named_in_order_and_shown(played: Played, elector: Owner) -> None:
    found = audit(elector, played.facts)
    assert [each.where for each in found.findings][:7] == [f"global round {number}" for number in range(2, 9)]
    assert {each.where for each in found.findings[7:]} <= {"contributions", "accuracy"}
    assert {each.signer for each in found.findings} == {played.record.winner}
    document, text = found.to_json(), "\n".join(found.lines())
    assert [each["follows"] for each in document["global_rounds"]] == [True, *[False] * 7, True]
    assert "the order: 'small-cnn' on 'digits'; " in text and f"; strategy '{STRATEGY}'" in text
    assert "global round 1: of 3 updates, 0 left out; the model follows, bit for bit" in text
    assert f"  without {played.base_stations[0].address}: its update is not there" in text
    assert found.judged is not None and "accuracy: claimed 60.0 %" in text
    assert set(document["contributions"]["measured"]) == {each.address for each in played.base_stations}


def test_audit__artefact_changed_in_the_store__whose_it_is_is_named(played: Played, elector: Owner) -> None:
    """A station that takes its update back harms nobody; a winner that does: its model cannot be worked out again."""
    station = played.base_stations[2]
    digest = from_chain(played.record.members[station.address].updates[HONEST])
    places = [Path(elector.files._place(each.store.name(digest))) for each in (station, played.owners[0])]
    whole = [path.read_bytes() for path in places]
    try:
        places[0].write_bytes(whole[0][:-1] + bytes([whole[0][-1] ^ 1]))
        assert audit_training(elector, played.facts).rounds[HONEST].findings == ()
        places[1].write_bytes(whole[1][:-1] + bytes([whole[1][-1] ^ 1]))
        rounds = audit_training(elector, played.facts).rounds
        (finding, *_), (later,) = rounds[HONEST].findings, rounds[LAST].findings
    finally:
        for path, content in zip(places, whole, strict=True):
            path.write_bytes(content)
    assert station.address in finding.what and "does not count" in finding.what
    assert later.what.endswith(f"what {STRATEGY} carries to it is not known: see the global rounds before")


@pytest.mark.parametrize("answers", [True, False], ids=["the store answers", "nothing answers"])
def test_collect__update_that_the_store_does_not_give__absent_unless_nothing_is_given_or_there_is_time(
    played: Played, elector: Owner, answers: bool
) -> None:
    """Who writes a file can see to it that nobody gets it; no vote is missed for that."""
    station, files = played.base_stations[0], copy(elector.files)
    digest = from_chain(played.record.members[station.address].updates[HONEST])
    read = files.read

    def never(name: str, most: int) -> bytes:
        if digest[2:] in name:
            raise Unreachable("its key is not to be had")
        return read(name, most)

    files.read, files.answers = never, lambda: answers  # type: ignore[method-assign]
    other, facts = replace(elector, files=files), played.facts
    early = replace(facts, now=facts.deadlines.vote - 121)
    with pytest.raises(Unreachable):
        other.collect(HONEST, early, elector.order(facts))
    pressing = replace(facts, now=facts.deadlines.vote - 120)
    if answers:
        found = other.collect(HONEST, pressing, elector.order(facts))
        assert found.absent == {station.address: "its key is not to be had"}
    else:
        with pytest.raises(Unreachable):
            other.collect(HONEST, pressing, elector.order(facts))


class Without:
    """Has lost its data."""

    def samples(self, order: Order, station: int) -> int:
        raise WorkError("the folder is empty")

    def train(self, order: Order, station: int, model: bytes, global_round: int) -> bytes:
        raise WorkError("the folder is empty")


def test_replay__a_station_with_its_own_data__makes_what_it_recorded(played: Played, elector: Owner) -> None:
    """Its keys or an owner's open what it started from; with other data another update comes of it."""
    station = played.base_stations[0]
    recorded, work = played.record.members[station.address].updates, station.work
    assert work is not None
    train = work.train
    for member in (station, elector):
        done = list(replay(member, work, station.address, played.facts))
        assert [each.again for each in done] == [from_chain(digest) for _, digest in sorted(recorded.items())]
        assert not any(each.differs for each in done)

    class Others(Without):
        """The data of another."""

        def train(self, order: Order, station: int, model: bytes, global_round: int) -> bytes:
            data = load_update(train(order, 1, model, global_round))
            return save_update(replace(data, station=station))

    first, *_ = replay(elector, Others(), station.address, played.facts)
    assert first.differs and str(first).startswith(f"global round 1: {first.recorded} is recorded, and these data make")


def test_replay__ordered_to_train_other_labels_than_are_reported__says_so(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A winner that leaves a base station an order of its own spoils its updates, and with them its stake."""
    station, facts = played.base_stations[0], played.facts
    order = station.order(facts)
    noted = station.journal.noted(station.round_id, "order")
    signed = Signed.from_bytes(noted["signed"].encode())
    signed.verify(station.domain, played.record.winner or "")
    assert signed.statement == OrderStatement(station.round_id, digest_of(bytes.fromhex(noted["order"])))
    other = replace(order, targets=tuple(reversed(order.targets)))
    monkeypatch.setattr(station, "order", lambda facts: other)
    assert station.work is not None
    with pytest.raises(ViewError, match="the winner reported a model of others") as misled:
        next(replay(station, station.work, station.address, facts))
    assert (played.record.winner or "") in str(misled.value)


def test_replay__nothing_recorded_or_no_data__says_so(played: Played, elector: Owner) -> None:
    account = played.base_stations[0].address
    members = {**played.record.members, account: replace(played.record.members[account], updates={0: bytes(32)})}
    facts = replace(played.facts, record=replace(played.record, members=members))

    (attended,) = replay(elector, Without(), account, facts)
    assert (attended.recorded, attended.again, attended.differs) == (None, None, False)
    lost, *_ = replay(elector, Without(), account, played.facts)
    assert lost.differs and str(lost).endswith("and none can be made: the folder is empty")
