"""`python -m analysis.benchmarks.contract.page`: writes `results/README.md`, the committed results as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.benchmarks.contract import result_files
from analysis.benchmarks.contract.cases import ABOVE, BATCH, FLOORS, MODELS, PEERS, TARGET_MODELS, TARGETS
from analysis.benchmarks.contract.snapshot import RESULTS, Figures, read
from analysis.benchmarks.contract.tables import naive_like

PAGE = RESULTS / "README.md"


def text() -> str:
    """The page, from what is recorded."""
    parts = (_calls(read()), _others(), _scale(_read("scale")), _rounds(), _throughput(_read("throughput")))
    return "# What the contract costs\n\n" + "\n".join("\n".join(part) + "\n" for part in parts)


def _calls(figures: Figures) -> list[str]:
    rows = []
    for case, row in figures.hcfl.items():
        target, naive = TARGETS.get(case), naive_like(figures, case)
        missed = " (missed)" if case in ABOVE else ""
        gas = [_number(row.get(models)) for models in MODELS]
        rows.append([f"`{case.call}`", case.who, *gas, _number(target) + missed, _number(naive)])
    reasons = [f"- {case}: {reason}." for case, reason in ABOVE.items()]
    return [
        "## Gas of a call",
        "",
        f"Targets and the naive contract are those at {TARGET_MODELS} models. A *new* account has no free balance yet,",
        "a *returning* one has; *first* and *later* are said of a side. Owners weigh the same if nothing else is said,",
        "membership proofs have a depth of 11.",
        "",
        *_table(
            ["call", "who", *(f"{models} model{'s' * (models > 1)}" for models in MODELS), "target", "naive"], rows
        ),
        *(["", "Missed targets:", "", *reasons] if reasons else []),
    ]


def _others() -> list[str]:
    rows = [
        [f"`{call}`", *(f"{at[call].gas:,} ({at[call].what})" if call in at else "" for at in (FLOORS, PEERS))]
        for call in FLOORS
    ]
    return [
        "## Floors and peers",
        "",
        "A floor is a contract that does this step and nothing else, a peer the best public contract for the step.",
        "",
        *_table(["call", "floor", "peer"], rows),
    ]


def _scale(document: Mapping[str, Any]) -> list[str]:
    members = document["members"]
    rows = [
        [name, f"{row['small']:,}", f"{row['large']:,}", f"{row['large'] / row['small'] - 1:+.2%}"]
        for name, row in document["calls"].items()
    ]
    return [
        "## The same calls in a small and a large round",
        "",
        f"The dearest call of each kind ([`scale.json`](scale.json)). From {members['small']:,} to",
        f"{members['large']:,} members none grows by more than 1 %.",
        "",
        *_table(["call", *(f"{members[size]:,} members" for size in ("small", "large")), "difference"], rows),
    ]


def _rounds() -> list[str]:
    rounds = result_files.read_rounds()
    rows = [
        [
            f"{size.members:,}",
            *(f"{gas / 1e6:,.2f}" for gas in (size.hcfl, size.hcfl_largest, size.naive, size.naive_largest)),
        ]
        for size in rounds.sizes
    ]
    fits = [f"- {name}: {fit.members:,} members, {fit.gas:,} gas." for name, fit in rounds.fits.items()]
    return [
        "## Whole rounds",
        "",
        "![Gas of a round, and of its largest transaction, by the number of members](gas_by_members.svg)",
        "",
        "Million gas ([`rounds.json`](rounds.json)):",
        "",
        *_table(["members", "HCFL", "its largest transaction", "naive contract", "its largest transaction"], rows),
        "",
        "The largest round whose settlement by the naive contract still fits into",
        "",
        *fits,
    ]


def _throughput(document: Mapping[str, Any]) -> list[str]:
    loads: dict[str, dict[int | None, Mapping[str, Any]]] = {}
    for load in document["loads"]:
        loads.setdefault(load["step"], {})[load["blocks_every_seconds"]] = load
    rows = []
    for step, by_block in loads.items():
        full = by_block[12]["blocks"][0][1] * (BATCH if "batches" in step else 1)
        rates = [f"{by_block[seconds]['served_a_second']:,.0f}" for seconds in (12, 1, None)]
        rows.append([step, f"{full:,}", *rates])
    hour, machine = document["hour_of_12_s_blocks"], document["machine"]
    return [
        "## Throughput",
        "",
        f"Signed transactions, sent in batches to anvil on {machine['cores']} cores ({machine['processor']}).",
        "Of batches the members that they settle are counted ([`throughput.json`](throughput.json)).",
        "",
        *_table(
            ["step", "in a block of 30M gas", "a second, 12 s blocks", "a second, 1 s blocks", "a second, no limit"],
            rows,
        ),
        "",
        f"An hour of 12 s blocks of 30M gas, used by nobody else, takes a round of {hour['members']:,} members from",
        "the first join to the last settlement.",
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]


def _number(gas: int | None) -> str:
    return "" if gas is None else f"{gas:,}"


def _read(name: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
