"""Pages of the repository that name code and tests: what they name has to exist."""

import ast
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def names_in(path: Path) -> frozenset[str]:
    """What a Python file defines at its top level; what a class does, as `Class.name`."""
    return frozenset(_names(ast.parse(text(path)).body))


def _names(body: list[ast.stmt], prefix: str = "") -> list[str]:
    names = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(prefix + node.name)
        if isinstance(node, ast.ClassDef) and not prefix:
            names += _names(node.body, f"{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [prefix + target.id for target in targets if isinstance(target, ast.Name)]
    return names


@dataclass(frozen=True)
class Page:
    """A page in Markdown.

    Links name code by their text: ``[`Contract.function`](File.sol)``, ``[`function`](file.py)``. Tests stand alone:
    ```folder/test_file.py::test_name```.

    Attributes:
        path: the page.
        tests: the folder that its tests' paths start from, if not from the repository's.
    """

    path: Path
    tests: Path = ROOT

    @cached_property
    def text(self) -> str:
        return text(self.path)

    @cached_property
    def named_tests(self) -> list[tuple[str, str]]:
        """File and function; no function where a file is named alone."""
        return re.findall(r"`((?:\.\./)?(?:[\w]+/)*test_\w+\.py)(?:::(test_\w+))?`", self.text)

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        """Text and target; not those to elsewhere in the net."""
        return [link for link in re.findall(r"\[([^\]]+)\]\(([^)#]+)[^)]*\)", self.text) if "://" not in link[1]]

    @cached_property
    def named_code(self) -> list[tuple[str, str]]:
        """Name, with its owner's if it has one, and file."""
        found = [(re.fullmatch(r"`(\w+(?:\.\w+)?)`", label), target) for label, target in self.links]
        return [(match[1], target) for match, target in found if match and Path(target).suffix in (".sol", ".py")]

    def rows(self, after: str = "", before: str = "") -> list[list[str]]:
        """Cells of its tables' rows, but for their heads; of a part of the page if it is given."""
        part = self.text.split(after, 1)[-1] if after else self.text
        part = part.split(before, 1)[0] if before else part
        lines = part.splitlines()
        heads = {
            index for index, line in enumerate(lines) if index + 1 < len(lines) and lines[index + 1].startswith("|-")
        }
        return [
            [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            for index, line in enumerate(lines)
            if line.startswith("| ") and index not in heads
        ]

    # ── what is missing ──

    def missing_tests(self) -> list[str]:
        return [f"{file}::{name}" for file, name in self.named_tests if not self._has_test(file, name)]

    def _has_test(self, file: str, name: str) -> bool:
        path = next((path for path in (self.tests / file, ROOT / file) if path.is_file()), None)
        return path is not None and (not name or name in names_in(path))

    def missing_files(self) -> list[str]:
        return [target for _, target in self.links if not (self.path.parent / target).exists()]

    def missing_headings(self) -> list[str]:
        """Links to a part of a page that has no such heading; GitHub names a heading by its words and hyphens."""
        found = re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", self.text)
        return [
            f"{target}#{part}"
            for target, part in found
            if part not in _headings(self.path.parent / target if target else self.path)
        ]

    def missing_code(self) -> list[str]:
        return [f"{name} in {file}" for name, file in self.named_code if not _declares(self.path.parent / file, name)]


def _headings(path: Path) -> set[str]:
    words = re.findall(r"^#+ (.*)", text(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in words}


def _declares(path: Path, name: str) -> bool:
    if path.suffix == ".py":
        return any(known == name or known.endswith(f".{name}") for known in names_in(path))
    owner, _, member = name.partition(".")
    declared = re.search(rf"\b(contract|interface|library|type|struct) {owner}(Library)?\b", text(path))
    return bool(declared) and (not member or bool(re.search(rf"\bfunction {member}\(", text(path))))
