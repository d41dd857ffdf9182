"""The result of a mutation check: a score, a page and a JSON document."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.provenance import write_document
from tests.mutation.mutants import Mutant
from tests.mutation.workshop import Verdict

REQUIRED = 0.95
FOLDER = Path(__file__).parent
COMMENT_OR_STRING = re.compile(r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|//[^\n]*|/\*.*?\*/""", re.DOTALL)


def fingerprint(root: Path) -> str:
    """Of the contracts below `root`, comments and layout aside: a verdict holds as long as they are the same."""
    folders = (root / "contracts", root / "contracts" / "interfaces", root / "contracts" / "types")
    sources = [path for folder in folders for path in sorted(folder.glob("*.sol"))]
    return hashlib.sha256("\n".join(code(path.read_text(encoding="utf-8")) for path in sources).encode()).hexdigest()


def code(source: str) -> str:
    """Solidity without its comments; wherever there was one, or blanks, a single blank."""
    bare = COMMENT_OR_STRING.sub(lambda found: found["string"] or " ", source)
    return " ".join(bare.split())


def read(mutants: Sequence[Mutant], contracts: str, folder: Path = FOLDER) -> list[Verdict]:
    """What an earlier run found out about some of these mutants. Survivors are tried again.

    Args:
        mutants: those to look for.
        contracts: their fingerprint now; a run on others says nothing.
        folder: where that run left its results.
    """
    file = folder / "results.json"
    if not file.exists():
        return []
    document = json.loads(file.read_text(encoding="utf-8"))
    if document["contracts"] != contracts:
        return []
    caught = {(row["file"], row["old"], row["new"]): row["caught_by"] for row in document["results"]}
    known = ((mutant, caught.get((mutant.file, mutant.old, mutant.new))) for mutant in mutants)
    return [Verdict(mutant, test, 0.0) for mutant, test in known if test is not None]


def score(verdicts: Sequence[Verdict]) -> float:
    """The part of the mutants that a test noticed. One that no test can notice counts as not noticed."""
    return sum(verdict.caught_by is not None for verdict in verdicts) / len(verdicts)


def as_markdown(verdicts: Sequence[Verdict], listed: int) -> str:
    """The page, survivors first; `listed` is the number of mutants in the lists."""
    survivors = [verdict for verdict in verdicts if verdict.caught_by is None]
    lines = [
        "# Mutation check",
        "",
        "Written by `python -m tests.mutation`: each line is one change to the contracts, made alone, and the first",
        "test that failed. Tests of gas, code size and coverage are left out: they notice changes, not faults.",
        "",
        f"{len(verdicts) - len(survivors)} of {len(verdicts)} are caught ({score(verdicts):.1%}). "
        + (f"The lists hold {listed}; the next run goes on." if listed > len(verdicts) else ""),
        "",
        "## Survivors",
        "",
    ]
    for verdict in survivors:
        mutant = verdict.mutant
        lines.append(f"- `{mutant.file}`: {mutant.why}. {mutant.survives or 'Not explained: a test is missing.'}")
    if not survivors:
        lines.append("None.")
    lines += ["", "## Caught", "", "| contract | what is wrong | noticed by |", "|---|---|---|"]
    for verdict in verdicts:
        if verdict.caught_by is not None:
            test = verdict.caught_by.replace("|", "\\|")
            lines.append(f"| `{Path(verdict.mutant.file).name}` | {verdict.mutant.why} | `{test}` |")
    return "\n".join(lines) + "\n"


def as_document(verdicts: Sequence[Verdict], listed: int, contracts: str) -> dict[str, Any]:
    """The same with the changes themselves, and the fingerprint of the contracts."""
    rows = [
        {
            "file": verdict.mutant.file,
            "why": verdict.mutant.why,
            "old": verdict.mutant.old,
            "new": verdict.mutant.new,
            "caught_by": verdict.caught_by,
        }
        for verdict in verdicts
    ]
    head = {"contracts": contracts, "listed": listed, "tried": len(rows), "score": round(score(verdicts), 4)}
    return {**head, "results": rows}


def write(verdicts: Sequence[Verdict], listed: int, contracts: str, folder: Path = FOLDER) -> None:
    """Write `results.md` and `results.json`."""
    (folder / "results.md").write_text(as_markdown(verdicts, listed), encoding="utf-8")
    write_document(folder / "results.json", as_document(verdicts, listed, contracts))
