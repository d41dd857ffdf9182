"""The committed figures, one line a case."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.benchmarks.contract.figures import MODELS, Case, Sheet
from analysis.benchmarks.contract.gas import measure, members_a_side
from analysis.benchmarks.contract.naive import measure_naive
from analysis.benchmarks.contract.stage import stage
from analysis.devnode.market import Market
from analysis.provenance import tools, write_document

RESULTS = Path(__file__).parent / "results"
GAS = RESULTS / "gas.json"
COMMAND = "ape run bench_gas --write"
TOLERANCE = 0.01


class SnapshotError(Exception):
    """There are no committed figures, or they cannot be read."""


@dataclass(frozen=True)
class Figures:
    """Gas by case and number of models, of both contracts."""

    hcfl: Mapping[Case, Mapping[int, int]]
    naive: Mapping[Case, Mapping[int, int]]


@dataclass(frozen=True)
class Change:
    """A figure that is not what it was; None where there was or is none."""

    contract: str
    case: Case
    models: int
    before: int | None
    now: int | None

    @property
    def within(self) -> bool:
        """Whether it is within a hundredth of what it was."""
        if self.before is None or self.now is None:
            return False
        return abs(self.now - self.before) <= TOLERANCE * self.before

    def __str__(self) -> str:
        before, now = (f"{gas:,}" if gas is not None else "no figure" for gas in (self.before, self.now))
        return f"{self.contract}, {self.case}, {self.models} models: was {before}, is {now}"


def measure_all(hcfl: Market, naive: Market, models: Sequence[int] = MODELS) -> Figures:
    """Measure every case on both contracts; the chain is left as it was."""
    ours: dict[int, Sheet] = {}
    theirs: dict[int, Sheet] = {}
    for count in models:
        ours[count] = measure(hcfl, count)
        with hcfl.chain.snapshot():
            theirs[count] = measure_naive(naive, stage(hcfl, count, members_a_side(count)))
    return Figures(_by_case(ours), _by_case(theirs))


def _by_case(sheets: Mapping[int, Sheet]) -> dict[Case, dict[int, int]]:
    """In the order in which calls and cases were first measured, the cases of a call together."""
    found = list(dict.fromkeys(case for sheet in sheets.values() for case in sheet.gas))
    calls = list(dict.fromkeys(case.call for case in found))
    cases = sorted(found, key=lambda case: calls.index(case.call))
    return {case: {m: sheet.gas[case] for m, sheet in sheets.items() if case in sheet.gas} for case in cases}


def changes(before: Figures, now: Figures) -> list[Change]:
    """Every figure that differs, in the order of the protocol."""
    found = []
    for contract in ("hcfl", "naive"):
        old, new = getattr(before, contract), getattr(now, contract)
        for case in dict.fromkeys([*new, *old]):
            for models in sorted({*old.get(case, {}), *new.get(case, {})}):
                change = Change(contract, case, models, old.get(case, {}).get(models), new.get(case, {}).get(models))
                if change.before != change.now:
                    found.append(change)
    return found


def write(figures: Figures, path: Path = GAS) -> None:
    """Write a snapshot."""
    head = {"written_by": COMMAND, "unit": "gas of receipts, by number of models", "made_with": tools()}
    contracts = {"hcfl": figures.hcfl, "naive": figures.naive}
    rows = {name: {str(case): dict(row) for case, row in cases.items()} for name, cases in contracts.items()}
    write_document(path, {**head, **rows})


def read(path: Path = GAS) -> Figures:
    """Read a snapshot.

    Raises:
        SnapshotError: there is none, or it is broken.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Figures(*(_cases(document[name]) for name in ("hcfl", "naive")))
    except FileNotFoundError:
        raise SnapshotError(f"there is no {path}: record it with `{COMMAND}`") from None
    except (ValueError, KeyError) as error:
        raise SnapshotError(f"{path} cannot be read ({error}): record it anew with `{COMMAND}`") from None


def _cases(rows: Mapping[str, Mapping[str, int]]) -> dict[Case, dict[int, int]]:
    return {Case(*name.split(": ", 1)): {int(m): gas for m, gas in row.items()} for name, row in rows.items()}
