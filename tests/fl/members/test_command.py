"""What the members' commands need, and what they do not begin."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fl.faults import line_of
from fl.market.refusals import Again, MarketError
from fl.market.terms import Role
from fl.members.command import _check_read, _run, run_rounds
from fl.members.configuration import Margins
from fl.members.steps import Done
from fl.yaml_file import ConfigurationError


def test_import__of_all_commands__takes_nothing_that_comes_with_the_training() -> None:
    """`pip install CHECKOUT` brings no PyTorch, and nothing that comes with it."""
    check = (
        "import sys, fl.members.command, fl.members.auditing, fl.members.status, fl.members.creation; "
        "sys.exit(' '.join({'torch', 'scipy', 'sklearn', 'safetensors', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert not done.stderr.strip(), done.stderr


@pytest.mark.parametrize(("rounds", "waits"), [((1,), False), ((2, 1), False), ((1, 3), True), ((3, 1), True)])
def test_rounds__one_that_is_not_there_yet__waited_for_within_a_limit_alone(
    rounds: tuple[int, ...], waits: bool
) -> None:
    """Nobody can have read its terms, and anybody can create it."""

    def ready(most_lock: int | None) -> Any:
        configuration = SimpleNamespace(path=Path("member.yaml"), most_lock=most_lock)
        return SimpleNamespace(configuration=configuration, market=SimpleNamespace(round_count=lambda: 2))

    _check_read(ready(0), rounds)
    if not waits:
        _check_read(ready(None), rounds)
        return
    with pytest.raises(ConfigurationError, match=r"member.yaml: most_lock is missing: there is no round 3 yet"):
        _check_read(ready(None), rounds)


def test_round__node_is_away_when_it_begins__is_not_given_up() -> None:
    """A command that plays several rounds would end between two of them, because of a moment."""
    away = [Again("the node does not answer"), None, Again("the node does not answer"), None, None]

    def asked() -> None:
        if (error := away.pop(0)) is not None:
            raise error

    def member(round_id: int) -> Any:
        asked()
        return SimpleNamespace(address="0x", next_step=lambda facts: Done(f"round {round_id} is over"))

    market = SimpleNamespace(round_count=lambda: asked() or 2)
    chronicle = SimpleNamespace(facts=lambda account: SimpleNamespace(block=1, now=1, final=1))
    configuration = SimpleNamespace(margins=Margins())
    ready: Any = SimpleNamespace(market=market, configuration=configuration, member=member, alert=pytest.fail)
    ready.chronicle, ready.tend = lambda round_id: chronicle, lambda: None
    assert _run(ready, 2, 0) == "round 2 is over"


def test_rounds__statement_cannot_be_had__it_is_said_how_they_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def desk(access: Any, say: Any) -> Iterator[Any]:
        yield SimpleNamespace(market=None)

    def statement_of(market: Any, account: str) -> Any:
        raise Again("logs: the node does not answer")

    monkeypatch.setattr("fl.members.command.desk", desk)
    monkeypatch.setattr("fl.members.command._check_read", lambda ready, rounds: None)
    monkeypatch.setattr("fl.members.command._run", lambda ready, round_id, pause: "the round is settled")
    monkeypatch.setattr("fl.members.command.statement_of", statement_of)
    access: Any = SimpleNamespace(configuration=None, signer=lambda: SimpleNamespace(address="0x"))
    with pytest.raises(Again) as failed:
        run_rounds(access, Role.OWNER, [1], 1)
    assert line_of(failed.value).startswith("logs: the node does not answer; round 1: the round is settled; ")


def test_round__that_cannot_go_on__its_people_are_told() -> None:
    """Whoever leaves a command running does not read what it ends with: anybody can create a round of that number."""
    told: list[str] = []

    def member(round_id: int) -> Any:
        raise MarketError(f"round {round_id} has another membership list")

    market, configuration = SimpleNamespace(round_count=lambda: 2), SimpleNamespace(margins=Margins())
    ready: Any = SimpleNamespace(market=market, configuration=configuration, member=member, alert=told.append)
    with pytest.raises(MarketError):
        _run(ready, 2, 1)
    assert told == ["round 2 is given up: round 2 has another membership list"]
