"""The figures as tables in a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from analysis.benchmarks.contract.figures import BATCH, FLOORS, MODELS, PEERS, TARGET_MODELS, TARGETS, Case
from analysis.benchmarks.contract.scale import Growth
from analysis.benchmarks.contract.snapshot import Change, Figures

FOOTNOTES = f"""\
Receipts of real transactions; membership proofs of depth 11; the policy is equal where nothing else is said.
new: the account's slot is written for the first time; returning: it has a free balance. Base stations and
owners of even number pay a tax, as does half of a batch of {BATCH}, which is half owners, half base stations.
Targets, floors, peers and naive at {TARGET_MODELS} models. naive: contracts/test/NaiveCrowdfunding.sol in the same run;
its one settlement, divided by the members. floor: a contract that does this step and nothing else; peer:
the best public contract for it; both measured as receipts on anvil 1.7.1."""
NAIVE_SETTLEMENT = Case("settle", "a member of all, new")


def show_gas(console: Console, figures: Figures, changed: Sequence[Change]) -> None:
    """One row a case: our figures, the target, and the naive contract's; floor and peer stand by the call."""
    moved = {(change.case, change.models) for change in changed if change.contract == "hcfl"}
    table = Table(title="Gas of a call", title_justify="left", box=SIMPLE)
    table.add_column("account: new or returning; on its side: first or later")
    for models in MODELS:
        table.add_column(f"{models} model{'s' if models > 1 else ''}", justify="right", no_wrap=True)
    table.add_column("target", justify="right", no_wrap=True)
    table.add_column("naive", justify="right", no_wrap=True)
    call = ""
    for case, row in figures.hcfl.items():
        if case.call != call:
            call = case.call
            table.add_section()
            table.add_row(f"[bold]{call}[/bold]{_others(call)}")
        cells = [_cell(row.get(models), (case, models) in moved) for models in MODELS]
        naive = naive_like(figures, case)
        table.add_row(f"  {case.who}", *cells, _target(figures, case), "" if naive is None else f"{naive:,}")
    console.print(table)
    console.print(FOOTNOTES + " * not as recorded." * bool(moved), highlight=False)


def _cell(gas: int | None, moved: bool) -> str:
    if gas is None:
        return ""
    return f"[yellow]{gas:,}*[/yellow]" if moved else f"{gas:,}"


def _target(figures: Figures, case: Case) -> str:
    target = TARGETS.get(case)
    if target is None:
        return ""
    met = figures.hcfl[case][TARGET_MODELS] <= target
    return f"[{'green' if met else 'bold red'}]≤ {target:,}[/]"


def _others(call: str) -> str:
    """What others take for the step."""
    said = [
        f"\n  {name} {table[call].gas:,} ({table[call].what})"
        for name, table in (("floor", FLOORS), ("peer", PEERS))
        if call in table
    ]
    return "".join(said)


def naive_like(figures: Figures, case: Case, models: int = TARGET_MODELS) -> int | None:
    """What the naive contract takes for the same; its one settlement is divided by its members, who are all new."""
    settles = case.call in ("settle", "settleMany") and "new" in case.who and ";" not in case.who
    same = NAIVE_SETTLEMENT if settles and "committed" not in case.who and "cancelled" not in case.who else case
    return figures.naive.get(same, {}).get(models)


def show_growth(console: Console, growth: Sequence[Growth], small: int, large: int) -> None:
    """One row a case: the dearest of both rounds."""
    table = Table(title="The dearest call of a kind, gas", title_justify="left")
    table.add_column("call")
    table.add_column("who")
    for members in (small, large):
        table.add_column(f"{members:,} members", justify="right")
    table.add_column("calls", justify="right")
    table.add_column("ratio", justify="right")
    for row in growth:
        figures = (f"{row.small:,}", f"{row.large:,}", f"{row.transactions:,}", f"{row.ratio:.4f}")
        table.add_row(row.case.call, row.case.who, *figures)
    console.print(table)
