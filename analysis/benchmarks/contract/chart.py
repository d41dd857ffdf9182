"""Gas by the number of members, drawn so that it reads in print and without colour."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from analysis.benchmarks.contract.result_files import Rounds, read_rounds
from analysis.benchmarks.contract.snapshot import RESULTS
from analysis.plot import SERIES, panels, plain_numbers, save, style

CHART = RESULTS / "gas_by_members"
HCFL, NAIVE = SERIES[:2]
MEMBERS = (8, 20, 100, 500, 2_000)


def draw(rounds: Rounds, stem: Path = CHART) -> Path:
    """Write the chart: a round's gas on the left, its largest transaction's on the right."""
    figure, (left, right) = panels(2, height=3.8)
    with style():
        _round(left, rounds)
        _largest(right, rounds)
    return save(figure, stem)


def _round(axes: Axes, rounds: Rounds) -> None:
    members = [size.members for size in rounds.sizes]
    axes.plot(members, [size.hcfl / 1e6 for size in rounds.sizes], label="HCFL", markersize=4, **HCFL)
    first_end = min(fit.members for fit in rounds.fits.values())
    possible = [size for size in rounds.sizes if size.members <= first_end]
    beyond = [size for size in rounds.sizes if size.members >= possible[-1].members]
    axes.plot(
        [size.members for size in possible],
        [size.naive / 1e6 for size in possible],
        label="naive contract",
        markersize=4,
        **NAIVE,
    )
    hollow = {**NAIVE, "linestyle": ":"}
    axes.plot(
        [size.members for size in beyond],
        [size.naive / 1e6 for size in beyond],
        label="naive, on a node without limits",
        markersize=4,
        markerfacecolor="white",
        zorder=1,
        **hollow,
    )
    for fit in rounds.fits.values():
        axes.axvline(fit.members, color="0.35", linewidth=0.8, zorder=0)
        axes.annotate(
            f"{fit.members:,}",
            (fit.members, 0),
            (-2, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            color="0.2",
        )
    axes.set_title("A whole round, all transactions")
    axes.set_ylabel("gas (million)")
    _finish(axes)


def _largest(axes: Axes, rounds: Rounds) -> None:
    members = [size.members for size in rounds.sizes]
    axes.plot(members, [size.hcfl_largest / 1e6 for size in rounds.sizes], label="HCFL", markersize=4, **HCFL)
    naive = [size.naive_largest / 1e6 for size in rounds.sizes]
    axes.plot(members, naive, label="naive contract", markersize=4, **NAIVE)
    for name, fit in rounds.fits.items():
        axes.axhline(fit.limit / 1e6, color="0.35", linewidth=0.8)
        label = name.replace("2^24", "$2^{24}$")
        axes.annotate(
            label, (members[0], fit.limit / 1e6), (0, 2), textcoords="offset points", va="bottom", color="0.2"
        )
        axes.plot([fit.members], [fit.gas / 1e6], marker="x", color="black", markersize=8, linestyle="none", zorder=5)
        axes.annotate(
            f"{fit.members:,}",
            (fit.members, fit.gas / 1e6),
            (5, -11),
            textcoords="offset points",
            color="black",
        )
    last = rounds.sizes[-1]
    axes.annotate(
        "batches of 50",
        (last.members, last.hcfl_largest / 1e6),
        (0, -12),
        textcoords="offset points",
        ha="right",
        color=HCFL["color"],
    )
    axes.plot([], [], marker="x", color="black", linestyle="none", label="largest naive round that fits")
    axes.set_title("Its largest transaction")
    axes.set_ylabel("gas (million)")
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("members of the round (half owners, half base stations)")
    axes.set_xticks(MEMBERS)
    axes.xaxis.set_major_formatter(plain_numbers())
    axes.yaxis.set_major_formatter(plain_numbers())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, color="0.85", linewidth=0.5)
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    draw(read_rounds())
