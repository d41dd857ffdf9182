"""Training in a process of its own: the same comes of it, and whatever happens there, its member goes on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from fl.members.apart import Apart
from fl.members.configuration import Data
from fl.members.order import Order
from fl.members.own_data import OwnData
from fl.members.torch_work import Offer, TorchOwner, TorchStation
from fl.members.work import Unfinished, WorkError, WrongArtefact
from fl.training.config import Privacy, StationConfig, TrainingConfig

DATA = Data("digits", part=(0, 3))
TARGETS = ("0", "1")
T = TypeVar("T")


def order_of(**changed: Any) -> tuple[Order, bytes]:
    """An order for a small model, and the model that it starts from."""
    settings = TrainingConfig(dataset="digits", targets=TARGETS, model="small-cnn", rounds=1)
    proposal = TorchOwner(OwnData(DATA).test_of, Offer(settings, StationConfig(1, 1), 8_000)).proposal()
    return Order(TARGETS, replace(proposal.stations, **changed)), proposal.initial


def finished(ask: Callable[[], T], seconds: float = 60) -> T:
    """The answer, asked for until it is there."""
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except Unfinished:
            assert time.monotonic() < end, "no answer"


@pytest.fixture(scope="module")
def shared() -> Iterator[Apart]:
    """One for all tests: the engine takes seconds to load."""
    work = Apart(DATA)
    yield work
    work.stop()


def test_work__apart__is_the_same_to_the_bit(shared: Apart) -> None:
    order, model = order_of()
    alone = TorchStation(OwnData(DATA).clients_of)
    assert finished(lambda: shared.samples(order, 2)) == alone.samples(order, 2)
    assert finished(lambda: shared.train(order, 2, model, 0)) == alone.train(order, 2, model, 0)


def test_work__asked_as_a_member_does__comes_to_its_end(shared: Apart) -> None:
    """How long it takes, then for the training, again and again until that is done: neither ends the other."""
    order, model = order_of(local_epochs=100)
    work = shared._running()

    def turn() -> bytes:
        assert shared.seconds(order, 0, model) > 0
        return shared.train(order, 0, model, 0)

    assert len(finished(turn)) > 1_000
    assert shared._process is work


def test_work__apart_that_hides_its_clients__does_so_with_its_secret(shared: Apart) -> None:
    """One that lost its privacy on the way would deliver what its clients sent."""
    order, model = order_of()
    privacy = Privacy(0.1, 1.0, at="client")
    hiding = Apart(replace(DATA, privacy=privacy))
    try:
        with pytest.raises(WorkError, match="there is no secret"):
            finished(lambda: hiding.train(order, 2, model, 0))
        hiding.secret = b"7"
        alone = TorchStation(OwnData(DATA).clients_of, privacy, b"7")
        assert finished(lambda: hiding.train(order, 2, model, 0)) == alone.train(order, 2, model, 0)
    finally:
        hiding.stop()


def test_work__that_cannot_be_done__says_why_as_here(shared: Apart) -> None:
    order, model = order_of(model="os:system")
    with pytest.raises(WrongArtefact, match="code that another names is not imported"):
        finished(lambda: shared.samples(order, 0))
    order, model = order_of(dataset="mnist")
    with pytest.raises(WorkError, match="the order is for mnist, and this base station has digits") as refused:
        finished(lambda: shared.train(order, 0, model, 0))
    assert type(refused.value) is WorkError


def test_training__of_a_billion_epochs__is_known_to_take_years_and_nobody_waits(shared: Apart) -> None:
    order, model = order_of(local_epochs=10**9)
    assert finished(lambda: shared.seconds(order, 0, model)) > 10**5
    begun = time.monotonic()
    for _ in range(3):
        with pytest.raises(Unfinished):
            shared.train(order, 0, model, 0)
    assert time.monotonic() - begun < 5
    quick, model = order_of()
    assert len(finished(lambda: shared.train(quick, 0, model, 0))) > 1_000, "what is asked next ends what was"


def test_process__ended_by_the_system__is_no_update_and_the_next_is_another_process(shared: Apart) -> None:
    order, model = order_of(local_epochs=10**9)
    with pytest.raises(Unfinished):
        shared.train(order, 0, model, 0)
    assert shared._process is not None
    os.kill(shared._process.pid, signal.SIGKILL)
    with pytest.raises(WorkError, match="ended by signal 9, as where memory is short"):
        finished(lambda: shared.train(order, 0, model, 0))
    quick, model = order_of()
    assert finished(lambda: shared.samples(quick, 0)) > 0


def test_process__whose_member_is_gone__ends(shared: Apart) -> None:
    """A member that is ended by SIGKILL says nothing to anybody; its files are closed."""
    order, model = order_of(local_epochs=10**9)
    with pytest.raises(Unfinished):
        shared.train(order, 0, model, 0)
    process = shared._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0
    shared.stop()


def test_seconds__of_few_passes__are_not_tried_out() -> None:
    order, model = order_of()
    assert TorchStation(OwnData(DATA).clients_of).seconds(order, 0, model) == 0
