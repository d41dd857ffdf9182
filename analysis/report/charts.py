"""The report's drawings: inline SVG by matplotlib, in colours that the page's style sheet gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.plot import style
from analysis.report.flow import PLACES, Flow, through
from analysis.report.words import rough
from fl.record.document import RoundDocument

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#040401", "#040402", "#040403", "#040404")
"""Stand-ins: in the page each becomes a custom property of the style sheet, one for light and one for dark."""

_PROPERTIES = {INK: "--ink", MUTED: "--muted", GRID: "--line"} | {
    colour: f"--series-{number}" for number, colour in enumerate(SERIES, 1)
}
FEW_STATIONS = 24
"""So many bars have their name under them."""


def accuracy_chart(document: RoundDocument, off_chain: bool) -> Markup | None:
    """Accuracy by global round, what was claimed, and what the electors measured."""
    training = document.training
    if training is None or not (document.votes or (off_chain and training.global_rounds)):
        return None
    figure, axes = _axes(3.2)
    last = 0
    if off_chain and training.global_rounds:
        rounds = [each.global_round + 1 for each in training.global_rounds]
        last = rounds[-1]
        accuracies = [each.accuracy for each in training.global_rounds]
        axes.plot(rounds, accuracies, color=SERIES[0], marker="o", label="after each global round")
    if document.status != "aborted":
        axes.axhline(training.claimed_accuracy, color=SERIES[1], linestyle="--", label="claimed")
        least = max(0.0, training.claimed_accuracy - document.tolerance / 10_000)
        axes.axhline(least, color=MUTED, linestyle=":", linewidth=1, label="least that is not punished")
    if document.votes:
        measured = [vote.measured_accuracy for vote in document.votes]
        spread = [last + 1 + 0.5 * (place / len(measured) - 0.5) for place in range(len(measured))]
        axes.plot(spread, measured, color=SERIES[2], linestyle="", marker="D", label="measured by an elector")
    ticks = list(range(1, last + 1)) if last <= 12 else [*range(1, last + 1, -(-last // 10))]
    axes.set_xticks([*ticks, *([last + 1] if document.votes else [])])
    axes.set_xticklabels([*map(str, ticks), *(["vote"] if document.votes else [])])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    _label(axes, "global round", "accuracy")
    _legend(axes)
    return _inline(figure, "accuracy", "Accuracy after each global round, as claimed, and as measured by the electors")


def contributions_chart(document: RoundDocument) -> Markup | None:
    """Part of the contribution that the winner listed each base station with."""
    listed = [(number, points) for number, points in enumerate(document.contributions, 1) if points is not None]
    if not listed:
        return None
    figure, axes = _axes(2.6)
    axes.bar([number for number, _ in listed], [points / 1e6 for _, points in listed], color=SERIES[0], width=0.6)
    equal = 1 / len(listed)
    axes.axhline(equal, color=SERIES[1], linestyle="--", label="equal parts")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    if len(document.contributions) <= FEW_STATIONS:
        axes.set_xticks(range(1, len(document.contributions) + 1))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label(axes, "base station", "listed part")
    _legend(axes)
    return _inline(figure, "contributions", "Part of the contribution that each base station was listed with")


def flow_chart(flows: Sequence[Flow]) -> Markup | None:
    """The money that moved, to scale; what went back untouched is not drawn."""
    moved = [flow for flow in flows if flow.moved and flow.wei > 0]
    if not moved:
        return None
    total = max(sum(flow.wei for flow in moved if flow.start in PLACES[0]), 1)
    gap = 0.16 * total
    with style():
        figure = Figure(figsize=(9, 3.8))
        axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    places: dict[str, tuple[float, float]] = {}
    lowest = 0.0
    for column, names in enumerate(PLACES):
        top = 0.0
        for name in names:
            wei = through(moved, name)
            if wei:
                places[name] = (column * 2.6, top)
                axes.add_patch(Rectangle((column * 2.6, top - wei), 0.12, wei, facecolor=INK, linewidth=0))
                axes.text(
                    column * 2.6 + 0.17, top - wei / 2, f"{name}\n{rough(wei)}", va="center", color=INK,
                    fontsize=9,
                )  # fmt: skip
                top -= wei + gap
        lowest = min(lowest, top + gap)
    left, came = dict.fromkeys(places, 0.0), dict.fromkeys(places, 0.0)
    for flow in sorted(moved, key=lambda each: -places[each.end][1]):
        (x0, top0), (x1, top1) = places[flow.start], places[flow.end]
        y0, y1 = top0 - left[flow.start], top1 - came[flow.end]
        left[flow.start] += flow.wei
        came[flow.end] += flow.wei
        axes.add_patch(
            PathPatch(_band(x0 + 0.12, y0, x1, y1, flow.wei), facecolor=_colour(flow), alpha=0.35, linewidth=0)
        )
    axes.set_xlim(-0.05, 2.6 * (len(PLACES) - 1) + 1.6)
    axes.set_ylim(lowest - gap / 2, gap / 2)
    return _inline(figure, "flow", "Where the money that moved went; the table beside it has every amount")


def _colour(flow: Flow) -> str:
    if "tax" in flow.start or "tax" in flow.end:
        return SERIES[1]
    if "bond" in flow.start or "bond" in flow.end:
        return SERIES[3]
    return SERIES[2] if "stake" in flow.start or "stake" in flow.end else SERIES[0]


def _band(x0: float, y0: float, x1: float, y1: float, height: float) -> Path:
    """A stripe of that height from one place to another, y being its upper edge."""
    middle = (x0 + x1) / 2
    points = [
        (x0, y0), (middle, y0), (middle, y1), (x1, y1),
        (x1, y1 - height), (middle, y1 - height), (middle, y0 - height), (x0, y0 - height), (x0, y0),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return Path(points, codes)


def _axes(height: float) -> tuple[Figure, Axes]:
    with style():
        figure = Figure(figsize=(9, height), layout="constrained")
        return figure, figure.subplots()


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=MUTED, labelcolor=INK)
    axes.grid(visible=True, color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(MUTED)


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, labelcolor=INK, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def _inline(figure: Figure, name: str, title: str) -> Markup:
    """The drawing as an element of the page: with a name, without fixed size, styles or ids that two would share."""
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    file = StringIO()
    with style():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"', svg)
    svg = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", svg).replace("xlink:href", "href")
    svg = re.sub(r"\s*<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' style="([^"]*)"', lambda m: _attributes(m[1]), svg)
    for colour, variable in _PROPERTIES.items():
        svg = svg.replace(colour, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    opening = Markup('<svg class="chart" role="img" aria-label="{}" {} xmlns="http://www.w3.org/2000/svg">').format(
        title, Markup(box[0])
    )
    return opening + Markup(re.sub(r"\s*\n\s*", "\n", svg[svg.index(">") + 1 :]))


def _attributes(declarations: str) -> str:
    """A style as attributes: those a page may have whose style sheets are files of their own."""
    attributes = ""
    for declaration in filter(None, map(str.strip, declarations.split(";"))):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key != "font-family":  # the page's
            attributes += f' {key}="{value}"'
    return attributes
