"""The committed results of the long benchmarks, as JSON with command, machine and commit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.benchmarks.contract.scale import Fit, Growth, Pair
from analysis.benchmarks.contract.snapshot import RESULTS
from analysis.benchmarks.contract.throughput import BLOCK_GAS, HourRound, Measured
from analysis.benchmarks.contract.whole import RoundGas
from analysis.provenance import machine, write_document

SCALE = RESULTS / "scale.json"
ROUNDS = RESULTS / "rounds.json"
THROUGHPUT = RESULTS / "throughput.json"


@dataclass(frozen=True)
class Size:
    """Whole rounds of one size on both contracts; gas of all transactions and of the largest one."""

    members: int
    models: int
    hcfl: int
    hcfl_largest: int
    naive: int
    naive_largest: int


@dataclass(frozen=True)
class Rounds:
    """Whole rounds by size, and where the naive contract stops fitting, by what it has to fit."""

    sizes: tuple[Size, ...]
    fits: Mapping[str, Fit]


def write_scale(growth: Sequence[Growth], small: int, large: int, path: Path = SCALE) -> None:
    """Write a comparison of a small with a large round."""
    calls = {str(row.case): {"small": row.small, "large": row.large, "calls": row.transactions} for row in growth}
    head = {
        "written_by": "ape run bench_gas --scale --write",
        "machine": machine(),
        "members": {"small": small, "large": large},
    }
    write_document(path, {**head, "unit": "gas of the dearest call of the kind", "calls": calls})


def write_rounds(pairs: Sequence[Pair], fits: Mapping[str, Fit], path: Path = ROUNDS) -> None:
    """Write whole rounds by size, with what each call took in all."""
    document = {
        "written_by": "ape run bench_gas --chart --write",
        "machine": machine(),
        "unit": "gas of receipts; both contracts play the same round: join, propose, commit, draw, reveal, select, "
        "an update by each base station, report, vote, settle (HCFL in batches of 50), and on HCFL the lot claimed "
        "(the naive contract credits it when it settles)",
        "sizes": [
            {
                "members": pair.hcfl.members,
                "models": pair.hcfl.models,
                "hcfl": _totals(pair.hcfl),
                "naive": _totals(pair.naive),
            }
            for pair in pairs
        ],
        "naive_fits": {name: asdict(fit) for name, fit in fits.items()},
    }
    write_document(path, document)


def _totals(spent: RoundGas) -> dict[str, Any]:
    by_call: dict[str, int] = {}
    for case, tally in spent.tallies.items():
        by_call[case.call] = by_call.get(case.call, 0) + tally.gas
    return {"gas": spent.gas, "largest": spent.largest, "transactions": spent.transactions, "by_call": by_call}


def read_rounds(path: Path = ROUNDS) -> Rounds:
    """Read what `write_rounds` has written."""
    document = json.loads(path.read_text(encoding="utf-8"))
    sizes = (
        Size(
            row["members"],
            row["models"],
            row["hcfl"]["gas"],
            row["hcfl"]["largest"],
            row["naive"]["gas"],
            row["naive"]["largest"],
        )
        for row in document["sizes"]
    )
    return Rounds(tuple(sizes), {name: Fit(**fit) for name, fit in document["naive_fits"].items()})


def write_throughput(
    measured: Sequence[Measured], members: int, fill: float, hour: HourRound, path: Path = THROUGHPUT
) -> None:
    """Write what a node made of its loads, and the largest round of an hour."""
    document = {
        "written_by": "ape run bench_throughput --write",
        "machine": machine(),
        "members": members,
        "loads": [
            {
                "blocks_every_seconds": done.setting.block_seconds,
                "block_gas": None if done.setting.block_seconds is None else BLOCK_GAS,
                "step": done.step,
                "transactions": done.load.transactions,
                "served": done.load.served,
                "served_a_second": round(done.load.a_second, 1),
                "seconds_to_accept": round(done.load.accepted, 2),
                "blocks": [[round(b.seconds, 2), b.transactions, b.gas] for b in done.load.blocks],
            }
            for done in measured
        ],
        "hour_of_12_s_blocks": {"block_gas": BLOCK_GAS, "fill": round(fill, 4), **asdict(hour)},
    }
    write_document(path, document)
