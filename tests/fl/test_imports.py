"""Which way imports flow (the product knows nothing of what checks it)."""

import ast
from pathlib import Path

FL = Path(__file__).parents[2] / "fl"


def imported(source: Path) -> set[str]:
    """The packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_fl__every_file__imports_nothing_of_analysis() -> None:
    assert [str(file) for file in FL.rglob("*.py") if imported(file) & {"analysis", "scripts", "tests"}] == []
