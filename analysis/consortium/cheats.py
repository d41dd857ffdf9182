"""Base stations that cheat: each replaces one of its acts, and delivers or signs what it should not."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from eth_account import Account

from fl.members.acts import Member
from fl.members.facts import Facts
from fl.members.order import Order
from fl.members.station_acts import BaseStation
from fl.members.torch_work import TorchStation
from fl.store.signed import DeclarationStatement, Domain, Signed, UpdateStatement, sign
from fl.training.model.spec import ModelSpec
from fl.training.update import Update, load_update, save_update


def instead(member: Member, act: str, other: Callable[..., Any]) -> None:
    """Have a member do something else in place of one of its acts: `other` is given that act and its arguments."""
    honest = getattr(member, act)
    setattr(member, act, lambda *arguments: other(honest, *arguments))


ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of secp256k1."""


Cheat = Callable[[BaseStation], None]


def changed(change: Callable[[Update], Update]) -> Cheat:
    """Trains as it should, and delivers something else, signed with the samples that it names."""

    def cheat(station: BaseStation) -> None:
        def train(honest: Any, order: Order, index: int, model: bytes, number: int) -> bytes:
            return save_update(change(load_update(honest(order, index, model, number))))

        work = station.work
        station.work = _Work(work, train)

    return cheat


def delivered(data: Callable[[bytes], bytes]) -> Cheat:
    """Delivers other bytes, signed."""

    def cheat(station: BaseStation) -> None:
        def train(honest: Any, order: Order, index: int, model: bytes, number: int) -> bytes:
            return data(honest(order, index, model, number))

        station.work = _Work(station.work, train)

    return cheat


class _Work:
    """A base station's work with another training."""

    def __init__(self, work: Any, train: Callable[..., bytes]):
        self._work, self._train = work, train

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def train(self, order: Order, station: int, model: bytes, number: int) -> bytes:
        return self._train(self._work.train, order, station, model, number)


def filled(value: float) -> Cheat:
    """All parameters have this value."""
    return changed(
        lambda update: replace(update, state={k: torch.full_like(v, value) for k, v in update.state.items()})
    )


def of_another_model(update: Update) -> Update:
    other = ModelSpec(update.model.name, update.model.input_shape, update.model.classes + 1)
    return replace(update, model=other, state=other.initial_state(0))


def with_metadata(**fields: str) -> Callable[[bytes], bytes]:
    """The update with other text for a field of its metadata, JSON or not."""

    def change(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        known = json.loads(header["__metadata__"]["hcfl"])
        texts = {**{name: json.dumps(value) for name, value in known.items()}, **fields}
        header["__metadata__"]["hcfl"] = "{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}"
        written = json.dumps(header).encode()
        return struct.pack("<Q", len(written)) + written + data[8 + length :]

    return change


def naming(**model: Any) -> Cheat:
    """The update says that it is of another model."""
    known = {"name": "small-cnn", "image_shape": [1, 8, 8], "classes": 5}
    return delivered(with_metadata(model=json.dumps({**known, **model})))


def signing(change: Callable[[BaseStation, UpdateStatement], Signed]) -> Cheat:
    """Its updates are as they should be, and the statement about them is not."""

    def cheat(station: BaseStation) -> None:
        def signed(honest: Any, statement: Any) -> Any:
            return change(station, statement) if isinstance(statement, UpdateStatement) else honest(statement)

        instead(station, "_sign", signed)

    return cheat


def signed_by(member: Member, statement: Any, domain: Domain | None = None) -> Signed:
    def by(message: Any) -> bytes:
        return bytes(member.account.sign_message(message).encode_rsv())

    return sign(statement, domain or member.domain, by)


def signed_by_nobody(station: BaseStation, statement: UpdateStatement) -> Signed:
    """By an account that is on no list."""
    stranger = Account.create()
    return sign(statement, station.domain, lambda message: bytes(stranger.sign_message(message).signature))


def high_s(station: BaseStation, statement: UpdateStatement) -> Signed:
    """The twin of a signature that anybody can work out."""
    signature = signed_by(station, statement).signature
    s = ORDER - int.from_bytes(signature[32:64])
    return Signed(statement, signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]]))


def saying(samples: int) -> Cheat:
    """Declares so many samples, and brings updates of as many."""

    def cheat(station: BaseStation) -> None:
        changed(lambda update: replace(update, samples=samples))(station)
        station.work.samples = lambda order, index: samples  # type: ignore[union-attr, method-assign]

    return cheat


def file_of(member: Member, digest: bytes) -> str:
    return member.store.name("0x" + digest.hex())


def after_recording(change: Callable[[BaseStation, str], None]) -> Cheat:
    """Something happens to the artefact before anybody reads it."""

    def cheat(station: BaseStation) -> None:
        def trained(honest: Any, number: int, facts: Facts) -> str:
            digest: str = honest(number, facts)
            change(station, station.store.name(digest))
            return digest

        instead(station, "_trained", trained)

    return cheat


def enlarge(station: BaseStation, name: str) -> None:
    """The file is larger than any update."""
    station.files.write(name, bytes(2**26))


def replay(station: BaseStation) -> None:
    """Records its first update in every global round."""

    def trained(honest: Any, number: int, facts: Facts) -> str:
        return honest(0, facts) if number == 0 else station.journal.noted(station.round_id, "update-0")  # type: ignore[no-any-return]

    instead(station, "_trained", trained)


def undeclared(station: BaseStation) -> None:
    """Says before training nothing."""

    def leave(honest: Any, name: str, *rest: Any) -> None:
        if name != "declaration":
            honest(name, *rest)

    instead(station, "_leave", leave)


def declaring_again(station: BaseStation) -> None:
    """Declares more once the first global round is averaged, and brings as many."""

    def trained(honest: Any, number: int, facts: Facts) -> str:
        if number == 1:
            declared = station._sign(DeclarationStatement(station.round_id, 1000))
            station._leave("declaration", declared, b"", station._owners(facts))
            changed(lambda update: replace(update, samples=1000))(station)
            signing(lambda station, said: signed_by(station, replace(said, samples=1000)))(station)
        return honest(number, facts)  # type: ignore[no-any-return]

    instead(station, "_trained", trained)


def ill(station: BaseStation) -> None:
    """Its images are broken; it is honest about it."""

    def clients(honest: Any, order: Order, index: int) -> Any:
        return [replace(each, inputs=torch.full(each.inputs.shape, float("nan"))) for each in honest(order, index)]

    work: Any = station.work
    honest = (work if isinstance(work, TorchStation) else work.alone).clients_of
    station.work = TorchStation(lambda order, index: clients(honest, order, index))


CHEATS: dict[str, tuple[Cheat, str]] = {
    "withheld": (after_recording(lambda station, name: station.files.remove(name)), "no artefact"),
    "garbage in its place": (after_recording(lambda station, name: station.files.write(name, bytes(9000))), "sealed"),
    "64 megabytes": (after_recording(enlarge), "at most"),
    "garbage, signed": (delivered(lambda data: bytes(1000)), "not a safetensors file"),
    "a large model": (delivered(lambda data: data + bytes(2**21)), "at most"),
    "another model": (changed(of_another_model), "not small-cnn"),
    "a factory": (naming(name="os:system"), "not small-cnn"),
    "a shape without end": (naming(image_shape=[float("inf"), 8, 8]), "does not say which model"),
    "metadata that end a reader": (delivered(with_metadata(samples="[" * 30_000)), "metadata"),
    "samples without end": (delivered(with_metadata(samples="Infinity")), "not a base station's update"),
    "another station's number": (
        changed(lambda update: replace(update, station=update.station + 1)),
        "is of base station",
    ),
    "a wrong global round": (
        changed(lambda update: replace(update, global_round=1 - update.global_round)),
        "global round",
    ),
    "no number": (filled(float("nan")), "is no number, or larger than"),
    "huge numbers": (filled(3e38), "is no number, or larger than"),
    "no samples": (saying(0), "0 samples are none"),
    "samples of a nation": (saying(10**30), "are none that a base station has"),
    "more than it declared": (changed(lambda update: replace(update, samples=100_000)), "its update names 100,000"),
    "signed by another": (signing(lambda station, said: signed_by_nobody(station, said)), "is signed by"),
    "signed for another round": (
        signing(lambda station, said: signed_by(station, replace(said, round_id=said.round_id + 1))),
        "of another round",
    ),
    "signed for another contract": (
        signing(lambda station, said: signed_by(station, said, Domain(station.domain.chain_id, station.address))),
        "is signed by",
    ),
    "high s": (signing(high_s), "low s"),
    "undeclared": (undeclared, "no such file"),
}
