"""Who imports whom, read from the sources and not by running them.

Imports inside functions count, and those for types alone: a file that cannot be read without another hangs on it. A
module also needs the `__init__.py` of every package that it lies in, and so does whoever imports it.
"""

import ast
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

INIT = "__init__"


def lies_in(name: str, place: str) -> bool:
    """Whether a dotted name is this module or package, or in it."""
    return name == place or name.startswith(f"{place}.")


@dataclass(frozen=True)
class Sources:
    """The Python files in some folders of a root.

    Attributes:
        root: where dotted names start.
        tops: folders in it.
    """

    root: Path
    tops: Collection[str]

    @cached_property
    def trees(self) -> Mapping[str, ast.Module]:
        """The syntax of each module, by dotted name; a package's name stands for its `__init__.py`."""
        paths = {path: path.relative_to(self.root) for top in self.tops for path in (self.root / top).rglob("*.py")}
        return {
            ".".join(place.parent.parts if place.stem == INIT else place.with_suffix("").parts): ast.parse(
                path.read_text(encoding="utf-8")
            )
            for path, place in sorted(paths.items())
        }

    @cached_property
    def packages(self) -> frozenset[str]:
        """Dotted names of all folders; "" is the root."""
        return frozenset(name.rpartition(".")[0] for name in self.trees) | {
            parent for name in self.trees for parent in _parents(name)
        }

    @cached_property
    def imports(self) -> Mapping[str, frozenset[str]]:
        """What each module imports, by dotted name; of what is not here, the name as it is written."""
        return {name: frozenset(self._imported(name)) - {name} for name in self.trees}

    def _imported(self, name: str) -> Iterator[str]:
        package = name if name in self.packages else name.rpartition(".")[0]
        for node in ast.walk(self.trees[name]):
            for target in _targets(node, package):
                yield from self._needed(target)
        yield from (parent for parent in _parents(name) if parent in self.trees)

    def _needed(self, target: str) -> Iterator[str]:
        """The module that a name is or is defined in, and the packages that it lies in."""
        inside = [place for place in (*_parents(target), target) if place in self.trees]
        if inside:
            yield from inside
        elif target.split(".")[0] not in self.tops:
            yield target

    def modules(self, place: str) -> list[str]:
        """Those in a package, or the module of this name."""
        return [name for name in self.trees if lies_in(name, place)]

    def path(self, start: str, end: str, but: Collection[str] = ()) -> list[str]:
        """The shortest way by which something in `start` imports something in `end`, over any modules between.

        Args:
            start: a module or a package.
            end: the same, or a library.
            but: modules that no way leads over.

        Returns:
            Dotted names, from the one in `start` to the one in `end`; empty where there is no way.
        """
        return next((way for way in self._ways([start], but) if lies_in(way[-1], end)), [])

    def reached(self, starts: Collection[str]) -> frozenset[str]:
        """All that some modules or packages import, over any modules between, and they themselves."""
        return frozenset(way[-1] for way in self._ways(starts))

    def _ways(self, starts: Collection[str], but: Collection[str] = ()) -> Iterator[list[str]]:
        """The shortest way to each module and library that is reached, the shortest first."""
        ways = deque([name] for start in starts for name in self.modules(start) if name not in but)
        seen = {way[0] for way in ways}.union(but)
        while ways:
            way = ways.popleft()
            yield way
            for target in sorted(
                self.imports.get(way[-1], frozenset()) - seen, reverse=True
            ):  # a module, then its package
                seen.add(target)
                ways.append([*way, target])

    def circle(self, folder: str) -> list[str]:
        """A circle among the files and folders that lie directly in a folder.

        Where no folder has one, no circle of files exists anywhere: those of a circle part in some folder.

        Returns:
            Imports, each as "importing → imported"; empty where there is no circle.
        """
        edges: dict[str, dict[str, str]] = {}
        for name, targets in self.imports.items():
            for target in sorted(targets):  # a module after its package, and instead of it
                one, other = _child(name, folder), _child(target, folder)
                if one and other and one != other and target in self.trees:
                    edges.setdefault(one, {})[other] = f"{name} → {target}"
        try:
            TopologicalSorter({one: list(others) for one, others in edges.items()}).prepare()
        except CycleError as error:
            backwards: list[str] = error.args[1]  # each is imported by the next
            return [edges[one][other] for other, one in pairwise(backwards)]
        return []

    def methods_calling(self, module: str, name: str, called: str) -> set[str]:
        """The methods of a class that call another of its own, such as `self._send(...)`.

        Args:
            module: where the class is.
            name: of the class.
            called: of the method.
        """
        (found,) = (node for node in self.trees[module].body if isinstance(node, ast.ClassDef) and node.name == name)
        methods = [node for node in found.body if isinstance(node, ast.FunctionDef) and node.name != called]
        return {method.name for method in methods if called in {name for name, _ in _attributes(method)}}

    def attributes(self, module: str) -> Iterator[tuple[str, int]]:
        """The attributes that a module reads of anything but a text, with their lines."""
        return _attributes(self.trees[module])

    def without_use(self, product: str, users: Collection[str]) -> list[str]:
        """What a package defines at the top level of its modules and nobody in it or among the users names.

        Args:
            product: the package.
            users: modules or packages that it is made for.

        Returns:
            Each as "module.name". A name in a string counts as a use: `"fl.training.crews.pool"` names `pool`.
        """
        readers = [name for place in (product, *users) for name in self.modules(place)]
        used = {word for name in readers for node in ast.walk(self.trees[name]) for word in _words(node)}
        return [
            f"{name}.{defined}"
            for name in self.modules(product)
            for defined in _defined(self.trees[name])
            if defined not in used
        ]


def _attributes(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.value, ast.Constant | ast.JoinedStr):
            yield node.attr, node.lineno


def _parents(name: str) -> list[str]:
    """The packages that a dotted name lies in, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _child(name: str, folder: str) -> str:
    """The file or folder directly in a folder that a module is or lies in; empty where it lies elsewhere."""
    if not folder:
        return name.split(".")[0]
    if name == folder:
        return INIT
    return name.removeprefix(f"{folder}.").split(".")[0] if lies_in(name, folder) else ""


def _targets(node: ast.AST, package: str) -> list[str]:
    """The dotted names that a statement imports; of `from a import b`, `a.b`, which may be a name in `a`."""
    match node:
        case ast.Import(names=names):
            return [each.name for each in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            parts = package.split(".")
            above = parts[: len(parts) - level + 1] if level else []
            return [".".join([*above, *([module] if module else []), each.name]) for each in names]
        case ast.Call(func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"), args=[first, *_]):
            return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
    return []


def _words(node: ast.AST) -> list[str]:
    """The names that a node reads, imports or spells in a string."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
            return [name]
        case ast.alias(name=name):
            return [name]
        case ast.Constant(value=str(text)):
            return text.replace(":", ".").split(".")
    return []


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
