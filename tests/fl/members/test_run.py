"""A member left running tells its people in time what it cannot do, whatever holds it up."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fl.market.refusals import Again, ByHand, Never
from fl.market.terms import GWEI, Deadlines, RoundTerms
from fl.members.acts import NotYet
from fl.members.assembly import _alert as alert_of
from fl.members.assembly import _is_there
from fl.members.facts import Facts
from fl.members.journal import JournalError
from fl.members.rounds import Conduct
from fl.members.run import OFTEN, Runner
from fl.members.steps import Accept, Attend, Done, Reveal, Settle, Step, Stuck, Train, Vote, Wait
from fl.record.history import ModelRecord, RoundRecord
from fl.yaml_file import ConfigurationError

AT = Deadlines.after(1_000, 300)
TERMS = RoundTerms(100, 50, 200 * GWEI, AT, max_models=2)


def facts_at(now: int) -> Facts:
    return Facts(31_337, "0x", "0x", now, now, RoundRecord(1, TERMS, bytes(32)))


def runner(
    step: Step, now: int, do: Callable[[], None] = lambda: None, margin: float = 60, read: Any = None
) -> tuple[Runner, list[str]]:
    """A runner of a member that has one step to do, at one moment of the chain; and what its people are told."""
    told: list[str] = []
    member: Any = SimpleNamespace(
        name="alice",
        address="0x",
        conduct=Conduct(),
        files=SimpleNamespace(until=inf, write_until=inf),
        next_step=lambda facts: step,
        do=lambda step, facts: do(),
    )
    chronicle: Any = SimpleNamespace(facts=read or (lambda account: facts_at(now)))
    return Runner(member, chronicle, lambda: None, told.append, margin, sleep=lambda seconds: None), told


def failing(error: Exception) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


def test_step__not_done_within_the_margin__told_once_with_what_is_left_and_why() -> None:
    run, told = runner(Reveal(), AT.reveal - 40, failing(Again("the node is busy")))
    for _ in range(3):
        assert run.turn() is None
    assert told == ["alice: 40 s are left to reveal, and it is not done: the node is busy"]


@pytest.mark.parametrize(("left", "waits"), [(200, 200 - 120), (100, 30), (5, 30)])
def test_step__with_a_deadline__waits_for_the_store_until_that_is_pressing(left: int, waits: int) -> None:
    """A store that gives a byte now and then would hold it up for as long as it likes."""
    waited: list[tuple[float, float]] = []

    def do() -> None:
        waited.append((files.until - time.monotonic(), files.write_until - time.monotonic()))

    run, _ = runner(Reveal(), AT.reveal - left, do)
    files = run.member.files
    run.turn()
    reads, writes = waited[0]
    assert waits - 5 < reads <= waits
    assert max(30, left) - 5 < writes <= max(30, left), "what is large may take long, and is wanted nowhere else"
    run.member.next_step = lambda facts: Settle(("0x",))  # type: ignore[method-assign]
    run.turn()
    assert waited[1] == (inf, inf)


def test_step__needs_a_hand__told_once_though_the_amounts_move_and_again_of_another_step() -> None:
    """What gas may take is another amount in each block."""
    needed = iter(range(10, 20))
    run, told = runner(Train(0), AT.reveal - 200, lambda: failing(ByHand(f"it may take {next(needed)} wei"))())
    for _ in range(3):
        run.turn()
    assert told == ["alice: it may take 10 wei"]
    run.member.next_step = lambda facts: Train(1)  # type: ignore[method-assign]
    run.turn()
    assert told[1:] == ["alice: it may take 13 wei"]


def test_step__not_done_for_the_same_reason__one_line_until_there_is_another(caplog: pytest.LogCaptureFixture) -> None:
    reasons = ["there is no test data"] * 3 + ["the node is busy"]
    run, _ = runner(Vote(), AT.vote - 200, lambda: failing(Again(reasons.pop(0)))())
    for _ in range(4):
        run.turn()
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == [
        "there is no test data",
        "the node is busy",
    ]


def test_step__not_done_long_before_its_deadline__nobody_is_told() -> None:
    run, told = runner(Reveal(), AT.reveal - 200, failing(Again("the node is busy")))
    run.turn()
    assert told == []


@pytest.mark.parametrize("now", [AT.vote - 61, AT.vote - 2], ids=["before the margin", "within it"])
def test_step__that_takes_long__told_while_it_is_under_way(now: int) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def do() -> None:
        begun.set()
        assert go_on.wait(30)

    run, told = runner(Vote(), now, do)
    thread = threading.Thread(target=run.turn)
    thread.start()
    try:
        assert begun.wait(10)
        end = time.monotonic() + 10
        while not told and time.monotonic() < end:
            time.sleep(0.01)
        assert len(told) == 1 and "left to vote" in told[0] and "still under way" in told[0]
    finally:
        go_on.set()
        thread.join()


def test_round__at_its_end__is_left_once_that_is_final() -> None:
    """A reorganisation that drops the last blocks takes a report with it, and who has left would lose its bond."""
    at = facts_at(AT.vote)
    looks = [
        (Done("settled"), replace(at, final=at.now - 30)),
        (Settle(("0x",)), replace(at, now=at.now + 20, final=at.now - 10)),
        (Done("settled"), replace(at, now=at.now + 30, final=at.now + 29)),
        (Done("settled"), replace(at, now=at.now + 40, final=at.now + 30)),
    ]
    run, _ = runner(Done(""), 0, read=lambda account: looks[0][1])
    run.member.next_step = lambda facts: looks.pop(0)[0]  # type: ignore[method-assign]
    assert [run.turn() for _ in range(4)] == [None, None, None, "settled"]
    run, _ = runner(Done("it did not join"), AT.commit)
    assert run.turn() == "it did not join", "who counts the newest block as final waits for none"


@pytest.mark.parametrize("step", [Accept(), Train(0)], ids=["an order", "training"])
def test_training__not_done_before_attendance_is_recorded_instead__told_before(step: Step) -> None:
    """One global round, so that what is left is recorded 30 s before the deadline."""
    model = ModelRecord("0x", 1)
    record = RoundRecord(1, TERMS, bytes(32), selected=0, models=[model])
    facts = replace(facts_at(AT.train - 75), record=record)
    run, told = runner(step, 0, failing(NotYet("it is under way")), read=lambda account: facts)
    run.turn()
    assert told == [f"alice: 45 s are left to {type(step).__name__.lower()}, and it is not done: it is under way"]
    run, told = runner(Attend(0), AT.train - 29, failing(Again("the node is busy")))
    run.turn()
    assert told == ["alice: 29 s are left to attend, and it is not done: the node is busy"]


def test_step__done_in_time__nobody_is_told() -> None:
    run, told = runner(Vote(), AT.vote - 61)
    run.turn()
    time.sleep(1.2)
    assert told == []


@pytest.mark.parametrize("error", [ByHand("send ether to 0x"), JournalError("the disk is full")])
def test_step__that_needs_somebody__told_at_once_and_once(error: Exception) -> None:
    run, told = runner(Reveal(), AT.reveal - 250, failing(error))
    run.turn()
    run.turn()
    assert told == [f"alice: {error}"]


def test_step__refused_again_and_again__told() -> None:
    run, told = runner(Reveal(), AT.reveal - 250, failing(Never("it is not open")))
    for _ in range(OFTEN):
        assert told == []
        run.turn()
    assert told == [f"alice was refused {OFTEN} times: it is not open"]


def test_member__stuck__told_once() -> None:
    run, told = runner(Stuck("put back the journal"), AT.reveal - 250)
    run.turn()
    run.turn()
    assert told == ["alice: put back the journal"]


def test_chain__not_read_and_a_phase_about_to_end__told_before_it_does() -> None:
    answers: list[Any] = [facts_at(AT.reveal - 50)]

    def read(account: str) -> Facts:
        if answers:
            found: Facts = answers.pop()
            return found
        raise Again("no node can be used")

    run, told = runner(Wait(None, "others"), 0, read=read)
    run.turn()
    run.turn()
    run.turn()
    assert len(told) == 1
    assert "50 s are left of the phase" in told[0] and "no node can be used" in told[0]
    answers.append(facts_at(AT.reveal - 30))
    run.turn()
    run.turn()
    assert len(told) == 2, "a second time that it cannot be read is told as well"


def test_chain__not_read_for_longer_than_the_margin__told_though_no_phase_ends() -> None:
    def read(account: str) -> Facts:
        raise Again("no node can be used")

    run, told = runner(Wait(None, "others"), 0, margin=0.05, read=read)
    run.turn()
    assert told == []
    time.sleep(0.06)
    run.turn()
    assert len(told) == 1


@pytest.mark.parametrize("left", [200, 0.6], ids=["of a long phase", "of one that ends"])
def test_chain__node_that_never_ends_its_answer__told_while_it_is_waited_for(left: float) -> None:
    """One that sends a byte now and then is no break of a connection."""
    go_on, looks = threading.Event(), iter(range(2))

    def read(account: str) -> Facts:
        if next(looks):
            assert go_on.wait(30)
        return replace(facts_at(AT.reveal), now=AT.reveal - left)  # type: ignore[arg-type]

    run, told = runner(Wait(None, "the others"), 0, margin=0.4, read=read)
    run.turn()
    thread = threading.Thread(target=run.turn)
    thread.start()
    try:
        end = time.monotonic() + 10
        while not told and time.monotonic() < end:
            time.sleep(0.01)
        assert len(told) == 1 and "alice has not been able to read the chain" in told[0]
        assert "an answer of the node is still under way" in told[0]
    finally:
        go_on.set()
        thread.join()


# ── the command ──


def script(folder: Path, text: str) -> Path:
    path = folder / "a hook"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_chain__without_a_new_block__told_until_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that has lost its peers answers all the same, and by its clock no deadline ever comes."""
    now = 0.0
    monkeypatch.setattr("fl.members.run.time", SimpleNamespace(monotonic=lambda: now))
    block = 1
    run, told = runner(Wait(None, "the others"), 1_100, read=lambda account: replace(facts_at(1_100), block=block))
    run._moved_at = now
    for seconds, at, expected in (
        (0, 1, 0),
        (100, 1, 0),
        (121, 1, 1),
        (200, 1, 1),
        (201, 2, 1),
        (300, 2, 1),
        (322, 2, 2),
    ):
        now, block = seconds, at
        run.turn()
        assert len(told) == expected, (seconds, told)
    assert told[0] == (
        "alice's node has shown no new block for 121 s: deadlines may pass; is it cut off, or does its chain mine only "
        "when asked?"
    )


def test_alert__with_a_command__gets_its_words_and_the_message_and_is_said_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    hook = script(tmp_path, f'printf %s "$1|$2" > {out}.part; mv {out}.part {out}')
    alert_of(f"'{hook}' --urgent")("5 s are left")
    end = time.monotonic() + 10
    while not out.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert out.read_text(encoding="utf-8") == "--urgent|5 s are left"
    assert "ALERT 5 s are left" in capfd.readouterr().err


def test_alert__command_that_hangs__nobody_waits_for_it(tmp_path: Path) -> None:
    begun = time.monotonic()
    alert_of(str(script(tmp_path, "sleep 3")).replace(" ", "\\ "))("5 s are left")
    assert time.monotonic() - begun < 2


def test_alert__command_that_fails__is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    alert_of(str(tmp_path / "nothing"))("5 s are left")
    said, end = "", time.monotonic() + 10
    while "did not work" not in said and time.monotonic() < end:
        said += capfd.readouterr().err
        time.sleep(0.01)
    assert "the alert command did not work" in said


def test_function__of_ones_own__is_looked_for_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told at the start; a training that cannot begin is else first seen when all is locked."""
    (tmp_path / "broken_company").mkdir()
    (tmp_path / "broken_company" / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    (tmp_path / "slow_company.py").write_text("raise RuntimeError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert _is_there("slow_company:images")
    for function in ("nowhere:images", "nowhere.data:images", "broken_company.data:images", "json.nowhere:images"):
        assert not _is_there(function), function


def test_alert__no_command_at_all__is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no command"):
        alert_of("mail 'ops")


def test_deadline__of_a_round_that_moved__is_that_of_the_facts() -> None:
    run, told = runner(Reveal(), AT.reveal - 40, failing(Again("busy")), margin=30)
    run.turn()
    assert told == []
    later = replace(run, margin=50)
    later.turn()
    assert len(told) == 1
