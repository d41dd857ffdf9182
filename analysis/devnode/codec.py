"""Encodes calls and decodes results, events and custom errors of one contract, from its ABI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address

AbiEntry = Mapping[str, Any]
PANIC_SELECTOR = "4e487b71"


@dataclass(frozen=True)
class Event:
    """A decoded log: `name` and its values by parameter name."""

    name: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """Why a call reverted: a custom error and its values, or a panic or empty data under that name."""

    error: str
    values: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.error}({', '.join(f'{name}={value}' for name, value in self.values.items())})"


def _type_of(parameter: AbiEntry) -> str:
    """The type as eth_abi takes it: tuples spelled out."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type_of(part) for part in parameter['components'])}){kind[len('tuple') :]}"


def _named(parameter: AbiEntry, value: Any) -> Any:
    """A decoded value with structs as namespaces and addresses checksummed."""
    kind: str = parameter["type"]
    if kind.endswith("]"):
        element = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_named(element, item) for item in value]
    if kind == "tuple":
        parts = zip(parameter["components"], value, strict=True)
        return SimpleNamespace(**{part["name"]: _named(part, item) for part, item in parts})
    return to_checksum_address(value) if kind == "address" else value


def _decoded(parameters: Sequence[AbiEntry], data: bytes) -> dict[str, Any]:
    values = decode([_type_of(parameter) for parameter in parameters], data)
    return {p["name"]: _named(p, value) for p, value in zip(parameters, values, strict=True)}


def _signature(entry: AbiEntry) -> str:
    return f"{entry['name']}({','.join(_type_of(parameter) for parameter in entry['inputs'])})"


class Codec:
    """The functions, events and errors of one ABI, by name (no name is overloaded)."""

    def __init__(self, abi: Sequence[AbiEntry]) -> None:
        self._functions = {entry["name"]: entry for entry in abi if entry["type"] == "function"}
        self._errors = {entry["name"]: entry for entry in abi if entry["type"] == "error"}
        self._events = {entry["name"]: entry for entry in abi if entry["type"] == "event"}
        self._error_of = {keccak(text=_signature(e))[:4].hex(): e for e in self._errors.values()}
        self._event_of = {keccak(text=_signature(e)).hex(): e for e in self._events.values()}
        self._selectors = {n: keccak(text=_signature(e))[:4].hex() for n, e in self._functions.items()}

    @property
    def functions(self) -> frozenset[str]:
        return frozenset(self._functions)

    @property
    def errors(self) -> frozenset[str]:
        return frozenset(self._errors)

    @property
    def events(self) -> frozenset[str]:
        return frozenset(self._events)

    def parameters_of(self, error: str) -> tuple[str, ...]:
        return tuple(parameter["name"] for parameter in self._errors[error]["inputs"])

    def function_of(self, data: str) -> str:
        """The function that a call's data names, hex; "" if there is none."""
        return next((name for name, selector in self._selectors.items() if data[2:10] == selector), "")

    def call_prefix(self, function: str) -> str:
        """What the data of its calls begins with, hex without 0x."""
        return self._selectors[function]

    def call(self, function: str, arguments: Sequence[Any]) -> str:
        """A call's data, hex."""
        types = [_type_of(parameter) for parameter in self._functions[function]["inputs"]]
        return "0x" + self._selectors[function] + encode(types, arguments).hex()

    def result(self, function: str, data: str) -> Any:
        """What a call returned: nothing, the one value, or a namespace of several."""
        values = list(_decoded(self._functions[function]["outputs"], _bytes(data)).values())
        names = [p["name"] for p in self._functions[function]["outputs"]]
        if len(values) <= 1:
            return values[0] if values else None
        return SimpleNamespace(**dict(zip(names, values, strict=True)))

    def called(self, data: str) -> str | None:
        """The function that a call is for; None: none of this interface."""
        selector = data.removeprefix("0x")[:8]
        return next((name for name, each in self._selectors.items() if each == selector), None)

    def failure(self, data: str) -> Failure:
        raw = _bytes(data)
        selector, rest = raw[:4].hex(), raw[4:]
        if entry := self._error_of.get(selector):
            return Failure(entry["name"], _decoded(entry["inputs"], rest))
        if selector == PANIC_SELECTOR:
            return Failure("Panic", {"code": int.from_bytes(rest, "big")})
        return Failure("unknown error", {"data": data})

    def event(self, log: Mapping[str, Any]) -> Event:
        topics = [_bytes(topic) for topic in log["topics"]]
        entry = self._event_of[topics[0].hex()]
        indexed = [p for p in entry["inputs"] if p["indexed"]]
        values = _decoded([p for p in entry["inputs"] if not p["indexed"]], _bytes(log["data"]))
        for parameter, topic in zip(indexed, topics[1:], strict=True):
            values |= _decoded([parameter], topic)
        return Event(entry["name"], {p["name"]: values[p["name"]] for p in entry["inputs"]})


def _bytes(data: str) -> bytes:
    return bytes.fromhex(data.removeprefix("0x"))
