"""Which way imports flow (the product knows nothing of what checks it)."""

import ast
from pathlib import Path

import pytest

FL = Path(__file__).parents[2] / "fl"


def imported(source: Path) -> set[str]:
    """The modules that a file imports, wherever in it, with every package that they are in."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {".".join(name.split(".")[:parts]) for name in names for parts in range(1, name.count(".") + 2)}
    return found


def test_fl__every_file__imports_nothing_of_analysis() -> None:
    assert [str(file) for file in FL.rglob("*.py") if imported(file) & {"analysis", "scripts", "tests"}] == []


@pytest.mark.parametrize(
    ("folder", "unknown"),
    [
        ("market", {"torch", "numpy", "fl.record", "fl.training", "fl.crowdfunding"}),
        ("record", {"torch", "numpy", "fl.training", "fl.crowdfunding"}),
        ("training", {"ape", "fl.market", "fl.record", "fl.crowdfunding"}),
    ],
)
def test_folder__of_fl__knows_nothing_of_these(folder: str, unknown: set[str]) -> None:
    files = list((FL / folder).rglob("*.py"))
    assert files
    assert [(str(file), imported(file) & unknown) for file in files if imported(file) & unknown] == []
