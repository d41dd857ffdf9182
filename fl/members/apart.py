"""A base station's training in a process of its own, which can be ended.

An order may ask for more than there is time or memory for, or bring the engine down. The member itself goes on looking
at the chain meanwhile, and records what it has before its deadline.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from fl.faults import line_of
from fl.members.configuration import Data
from fl.members.order import Order
from fl.members.work import Unfinished, WorkError, WrongArtefact
from fl.training.config import Privacy

if TYPE_CHECKING:
    from fl.members.torch_work import TorchStation

QUICK = 0.2
"""Seconds within which an answer is waited for."""

_FAULTS: dict[str, type[WorkError]] = {each.__name__: each for each in (WorkError, WrongArtefact)}

_Message = tuple[dict[str, Any], bytes]
"""A line of JSON, and bytes behind it: neither side runs code that the other sends."""


class Apart:
    """The work of a base station whose data a member.yaml names (`fl.members.work.StationWork`).

    Args:
        data: its images.

    Attributes:
        secret: that what hides its clients in the round that it works for follows from.
    """

    secret: bytes | None = None

    def __init__(self, data: Data):
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: _Message | None = None
        self._values: dict[tuple[str, Order, int], float] = {}
        self._answer: Future[_Message] = Future()

    def samples(self, order: Order, station: int) -> int:
        """See `StationWork`."""
        return int(self._value("samples", order, station))

    def seconds(self, order: Order, station: int, model: bytes) -> float:
        """See `StationWork`."""
        return self._value("seconds", order, station, model)

    def train(self, order: Order, station: int, model: bytes, global_round: int) -> bytes:
        """See `StationWork`."""
        return self._ask("train", order, station, model, global_round=global_round)[1]

    def stop(self) -> None:
        """See `StationWork`."""
        process, self._process, self._asked = self._process, None, None
        if process is not None:
            process.kill()
            process.wait()

    def _value(self, what: str, order: Order, station: int, model: bytes = b"") -> float:
        """A number, which is asked for once: what is asked next ends what is under way."""
        asked = (what, order, station)
        if asked not in self._values:
            self._values[asked] = self._ask(what, order, station, model)[0]["value"]
        return self._values[asked]

    def _ask(self, what: str, order: Order, station: int, model: bytes = b"", **numbers: int) -> _Message:
        hidden = None if self._data.privacy is None else asdict(self._data.privacy)
        head = {"what": what, "order": order.to_bytes().decode(), "station": station, **numbers}
        secret = None if self.secret is None else self.secret.hex()
        asked = {**head, "privacy": hidden, "secret": secret}, model
        if self._asked != asked:
            if self._asked is not None and not self._answer.done():
                self.stop()  # it is busy with something that nobody wants any more
            process = self._running()
            self._asked, self._answer = asked, Future()
            threading.Thread(target=_talk, args=(process, asked, self._answer), daemon=True).start()
        try:
            found, data = self._answer.result(QUICK)
        except TimeoutError:
            raise Unfinished(f"this is under way: {what}") from None
        except WorkError:
            self.stop()
            raise
        if "fault" in found:
            raise _FAULTS[found["fault"]](found["said"])
        return found, data

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [
                sys.executable,
                "-m",
                "fl.members.apart",
                json.dumps(asdict(replace(self._data, privacy=None)), default=str),
            ]
            path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
                )
            except OSError as error:
                raise WorkError(f"training cannot be started: {line_of(error)}") from error
        return self._process


def _talk(process: subprocess.Popen[bytes], asked: _Message, answer: Future[_Message]) -> None:
    assert process.stdin is not None and process.stdout is not None
    try:
        _send(process.stdin, *asked)
        found = _received(process.stdout)
    except (OSError, ValueError) as error:
        answer.set_exception(WorkError(f"training ended: {line_of(error)}"))
        return
    if found is not None:
        answer.set_result(found)
        return
    code = process.wait()
    how = f"by signal {-code}, as where memory is short" if code < 0 else f"with {code}"
    answer.set_exception(WorkError(f"the process that trains ended {how}"))


def _send(to: IO[bytes], head: dict[str, Any], data: bytes = b"") -> None:
    to.write(json.dumps({**head, "bytes": len(data)}).encode() + b"\n" + data)
    to.flush()


def _received(source: IO[bytes]) -> _Message | None:
    """The next message; None: there are no more."""
    line = source.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    data = source.read(size := head.pop("bytes"))
    return (head, data) if len(data) == size else None


# ── the process ──


def main(data: str) -> None:
    """Do what is asked on the standard input until that ends; whoever asks may be gone at any moment.

    Args:
        data: the `Data` of a base station, as JSON.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts the member means that: it ends this
    with suppress(OSError):  # where memory is short, this goes and the member stays
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    asked: SimpleQueue[_Message] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    work = _work(Data(**json.loads(data)))
    while True:
        _send(answers, *_done(work, *asked.get()))


def _listen(asked: SimpleQueue[_Message]) -> None:
    while (message := _received(sys.stdin.buffer)) is not None:
        asked.put(message)
    os._exit(0)


def _work(data: Data) -> TorchStation:
    from fl.members.own_data import OwnData
    from fl.members.torch_work import TorchStation

    folder = None if data.data_dir is None else Path(data.data_dir)
    part = None if data.part is None else (data.part[0], data.part[1])
    return TorchStation(OwnData(replace(data, data_dir=folder, part=part)).clients_of)


def _done(work: TorchStation, head: dict[str, Any], model: bytes) -> _Message:
    order, station = Order.from_bytes(head["order"].encode()), head["station"]
    privacy = None if head["privacy"] is None else Privacy(**head["privacy"])
    secret = None if head["secret"] is None else bytes.fromhex(head["secret"])
    work = replace(work, privacy=privacy, secret=secret)
    try:
        match head["what"]:
            case "samples":
                return {"value": work.samples(order, station)}, b""
            case "seconds":
                return {"value": work.seconds(order, station, model)}, b""
            case _:
                return {}, work.train(order, station, model, head["global_round"])
    except WorkError as error:
        kind = WrongArtefact if isinstance(error, WrongArtefact) else WorkError
        return {"fault": kind.__name__, "said": str(error)}, b""
    except (MemoryError, RuntimeError) as error:  # of the engine, as where a batch does not fit
        return {"fault": WorkError.__name__, "said": line_of(error)}, b""


if __name__ == "__main__":
    main(sys.argv[1])
