"""A file of settings in YAML, read strictly: whatever is wrong is told with its place, what it is and what it must be.

Every scalar is taken as the text that stands there, and read as what its key asks for: YAML's own guesses (an address
that becomes a number, `no` that becomes false, a key given twice whose second wins) have no part in it.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from fl.faults import Fault

MOST_BYTES = 1_000_000
_NULL = "tag:yaml.org,2002:null"

Value = TypeVar("Value")
Parse = Callable[[str], Value]
"""Reads a scalar; raises ValueError where it is none of its kind, with a text only if that says more than `must`."""


class ConfigurationError(Fault, ValueError):
    """A file of settings that cannot be used as it is."""


@dataclass(frozen=True)
class Section:
    """A mapping of a YAML file.

    Attributes:
        path: of the file.
        place: the key that leads to it, dotted; "" for the whole file.
        node: where it stands.
    """

    path: Path
    place: str
    node: yaml.MappingNode

    @property
    def keys(self) -> tuple[str, ...]:
        """Those that are given a value, in their order."""
        return tuple(self._nodes)

    @property
    def _nodes(self) -> dict[str, yaml.Node]:
        return {key.value: value for key, value in self.node.value if value.tag != _NULL}

    def only(self, *known: str) -> "Section":
        """Refuse keys that mean nothing here.

        Raises:
            ConfigurationError: there is one, with the known one that is nearest.
        """
        for key, _ in self.node.value:
            if key.value not in known:
                near = difflib.get_close_matches(key.value, known, n=1)
                instead = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                raise self.error(key.value, f"is no key that is known here; {instead}", key)
        return self

    def take(self, key: str, parse: Parse[Value], must: str) -> Value:
        """A scalar that has to be there.

        Args:
            key: in this section.
            parse: reads it.
            must: what it must be, for the error.

        Raises:
            ConfigurationError: it is missing, or not what it must be.
        """
        node = self._nodes.get(key)
        if node is None:
            raise self.error(key, f"is missing and must be {must}")
        return self._parsed(key, node, parse, must)

    def take_or(self, key: str, parse: Parse[Value], must: str, default: Value) -> Value:
        """The same where it may be missing, or null."""
        return default if key not in self._nodes else self.take(key, parse, must)

    def items(self, key: str, parse: Parse[Value], must: str) -> tuple[Value, ...]:
        """A list of scalars; empty where it is missing."""
        node = self._nodes.get(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(key, f"is {_shown(node)} and must be {must}", node)
        return tuple(self._parsed(key, item, parse, must) for item in node.value)

    def section(self, key: str, must: str = "a mapping of keys to values") -> "Section | None":
        """A mapping inside; None where it is missing."""
        node = self._nodes.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            raise self.error(key, f"is {_shown(node)} and must be {must}", node)
        _refuse_doubles(self.path, self._key(key), node)
        return Section(self.path, self._key(key), node)

    def plain(self, key: str) -> dict[str, Any]:
        """A mapping of anything, as YAML reads it: options that another library knows, not we."""
        section = self.section(key)
        if section is None:
            return {}
        try:
            read: dict[str, Any] = yaml.constructor.SafeConstructor().construct_document(section.node)
        except yaml.YAMLError as error:
            raise self.error(key, f"cannot be read: {_reason(error)}", section.node) from error
        return read

    def error(self, key: str, what: str, node: yaml.Node | None = None) -> ConfigurationError:
        """What is wrong with a key, with the file and the line."""
        at = self._nodes.get(key) if node is None else node
        line = "" if at is None else f":{at.start_mark.line + 1}"
        return ConfigurationError(f"{self.path}{line}: {self._key(key)} {what}")

    def shown(self, key: str) -> str:
        """The value of a key as it stands there."""
        node = self._nodes.get(key)
        return "missing" if node is None else _shown(node)

    def _key(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _parsed(self, key: str, node: yaml.Node, parse: Parse[Value], must: str) -> Value:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(key, f"is {_shown(node)} and must be {must}", node)
        try:
            return parse(node.value)
        except ValueError as error:
            said = f" ({error.args[0]})" if isinstance(error, Reason) else ""
            raise self.error(key, f"is {_shown(node)} and must be {must}{said}", node) from error


class Reason(ValueError):
    """Why a scalar is not what it must be, where that says more."""


def read_yaml(path: Path) -> Section:
    """A file's top mapping.

    Raises:
        ConfigurationError: it is not there, too large, no YAML, or no mapping.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise ConfigurationError(f"{path} is over {MOST_BYTES:,} bytes: that is no file of settings")
    try:
        node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is no YAML: {_reason(error)}") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(f"{path} must be a mapping of keys to values, as in `key: value`")
    _refuse_doubles(path, "", node)
    return Section(path, "", node)


def _refuse_doubles(path: Path, place: str, node: yaml.MappingNode) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        inside = f" of {place}" if place else ""
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigurationError(f"{path}:{line}: a key{inside} is {_shown(key)} and must be a word")
        if key.value in seen:
            raise ConfigurationError(
                f"{path}:{line}: {key.value}{inside} is given again (first in line {seen[key.value]})"
            )
        seen[key.value] = line


def _shown(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return f"a list of {len(node.value)}"
        case _:
            text = str(node.value)
            return f'"{text if len(text) <= 60 else text[:57] + "..."}"'


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = "" if mark is None else f" in line {mark.line + 1}"
    said = getattr(error, "problem", None) or ("nested too deep" if isinstance(error, RecursionError) else str(error))
    return f"{said}{where}"


# ── how scalars are read ──


def text(scalar: str) -> str:
    """Any text but an empty one."""
    if not scalar.strip():
        raise ValueError
    return scalar


def whole(least: int, most: int) -> Parse[int]:
    """A whole number in a range, its ends included."""

    def parse(scalar: str) -> int:
        number = int(scalar)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def number(least: float, most: float) -> Parse[float]:
    """A number in a range, its ends included."""

    def parse(scalar: str) -> float:
        value = float(scalar)
        if not least <= value <= most:  # nor nan
            raise ValueError
        return value

    return parse


def one_of(words: Mapping[str, Value]) -> Parse[Value]:
    """One of some words."""

    def parse(scalar: str) -> Value:
        try:
            return words[scalar]
        except KeyError:
            raise ValueError from None

    return parse
