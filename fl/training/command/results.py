"""`python -m fl.training plot RUN` and `… export RUN`: what a run's folder holds, as a picture and as a state_dict."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from fl.atomic import write_atomically
from fl.training.errors import CheckpointError, on_disk

Records = Sequence[Mapping[str, Any]]


def main(arguments: Sequence[str]) -> str:
    """Do one of the two; what to say of it.

    Raises:
        TrainingError: the folder holds no run or not that global round, or matplotlib is not installed.
    """
    parser = argparse.ArgumentParser(prog="python -m fl.training")
    commands = parser.add_subparsers(dest="command", required=True)
    plot = commands.add_parser("plot", help="draw what a run has learnt")
    export = commands.add_parser("export", help="write a run's global model as a plain state_dict")
    plot.add_argument("run", type=Path, nargs="+", metavar="RUN", help="its folder (--out); of several, their accuracy")
    export.add_argument("run", type=Path, metavar="RUN", help="the run's folder (--out)")
    plot.add_argument("--out", type=Path, metavar="FILE", help="a picture: .png, .svg or .pdf (RUN/metrics.png)")
    export.add_argument("--out", type=Path, metavar="FILE", help="where to (RUN/model.pt)")
    which = export.add_mutually_exclusive_group()
    which.add_argument("--round", type=int, metavar="N", help="the global round that it is after (the last)")
    which.add_argument("--best", action="store_true", help="that of the best accuracy, the first of several")
    given = parser.parse_args(arguments)
    if given.command == "plot":
        if len(given.run) > 1 and given.out is None:
            plot.error("several runs go with --out, where their picture is to go")
        records = read_records(given.run[0]) if len(given.run) == 1 else compared(given.run)
        return f"{draw(records, given.out or given.run[0] / 'metrics.png')} is drawn"
    records, out = read_records(given.run), given.out or given.run / "model.pt"
    if given.best:
        from fl.training.command.checkpoint import best_of  # which imports torch: a picture needs none

        given.round = best_of(records)["global_round"]
    return f"{write_state(given.run, records, given.round, out)} is written"


def read_records(run: Path) -> Records:
    """The lines of a run's metrics file; one that is being written is left out.

    Raises:
        CheckpointError: the folder holds no finished global round, or a line cannot be read.
    """
    path = run / "metrics.jsonl"
    if not path.is_file():
        raise CheckpointError(f"{run} holds no run: there is no metrics.jsonl in it")
    with on_disk(path):
        lines = path.read_bytes().split(b"\n")[:-1]
    try:
        records = [json.loads(line) for line in lines]
    except ValueError as error:
        raise CheckpointError(f"{path} is corrupt: {error}") from error
    if not records:
        raise CheckpointError(f"{run} holds no finished global round yet")
    return records


def compared(runs: Sequence[Path]) -> Records:
    """The accuracies of several runs after each global round, by run.

    Raises:
        CheckpointError: see `read_records`.
    """
    found = {str(run): {record["global_round"]: record["accuracy"] for record in read_records(run)} for run in runs}
    rounds = range(1 + max(max(each) for each in found.values()))
    return [
        {"global_round": number, "runs": {run: each.get(number) for run, each in found.items()}} for number in rounds
    ]


def write_state(run: Path, records: Records, global_round: int | None, out: Path) -> Path:
    """Write a global model as `torch.save` writes a `state_dict`.

    Args:
        run: the run's folder.
        records: of the run.
        global_round: that the model is after; None: the last.
        out: the file.

    Raises:
        CheckpointError: the run has no such global round, or its model is not kept or cannot be read.
    """
    import torch

    from fl.store.artefacts import ArtefactStore
    from fl.store.errors import Corrupt, Missing
    from fl.store.files import Files
    from fl.training.model.artefact import load_state

    digests = {record["global_round"]: record["model"] for record in records}
    wanted = max(digests) if global_round is None else global_round
    if wanted not in digests:
        raise CheckpointError(f"{run} has no global round {wanted}: it has 0 … {max(digests)}")
    try:
        data = ArtefactStore(Files(run / "models")).get(digests[wanted], most=2**40)
    except Missing:
        raise CheckpointError(
            f"the model after global round {wanted} is not kept in {run}: a run keeps the last two, with --patience "
            "the best too, with --keep-models all"
        ) from None
    except Corrupt as error:
        raise CheckpointError(f"the model after global round {wanted} cannot be read: {error}") from error
    content = BytesIO()
    torch.save(load_state(data), content)
    return _written(out, content)


def draw(records: Records, out: Path) -> Path:
    """Draw a run's metrics: one panel of accuracy and loss, and one of each further thing that they hold.

    Raises:
        TrainingError: matplotlib is not installed, or knows no pictures of this kind.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise CheckpointError("matplotlib is not installed: install it (pip install matplotlib) to draw") from error
    panels = [draw for has, draw in _PANELS if has(records[-1])]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.2 * columns, 4.2 * rows), layout="constrained")
    for number, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # rounds and base stations are whole numbers
        panel(axes, records)
    content = BytesIO()
    try:
        figure.savefig(content, dpi=120, format=out.suffix[1:] or "png")
    except ValueError as error:
        raise CheckpointError(f"{out} cannot be drawn: {error}") from error
    return _written(out, content)


def _written(out: Path, content: BytesIO) -> Path:
    try:
        write_atomically(out, content.getvalue())
    except OSError as error:
        raise CheckpointError(f"{out} cannot be written: {error.strerror}") from error
    return out


_MOST_LINES = 20
"""Labels or base stations beyond which their curves are thin and have no legend."""


def _curves(axes: Any, records: Records, key: str, title: str, unit: str = "accuracy") -> None:
    """One curve over the global rounds for each entry."""
    rounds = [record["global_round"] for record in records]
    names = list(records[-1][key])
    for name in names:
        values = [record.get(key, {}).get(name) for record in records]
        thin = 1.5 if len(names) <= _MOST_LINES else 0.5
        axes.plot(rounds, [float("nan") if value is None else value for value in values], label=name, linewidth=thin)
    axes.set(title=title, xlabel="global round", ylabel=unit, ylim=(0, 1 if unit == "accuracy" else None))
    if len(names) <= _MOST_LINES:
        axes.legend(fontsize="x-small", ncols=2).set_in_layout(False)  # long names leave the axes their size


def _progress(axes: Any, records: Records) -> None:
    rounds = [record["global_round"] for record in records]
    axes.plot(rounds, [record["accuracy"] for record in records], color="tab:blue", label="accuracy")
    axes.set(title="global model, test samples", xlabel="global round", ylabel="accuracy", ylim=(0, 1))
    losses = axes.twinx()
    losses.plot(rounds, [record["loss"] for record in records], color="tab:red", label="test loss")
    trained = [float("nan") if record["train_loss"] is None else record["train_loss"] for record in records]
    losses.plot(rounds, trained, color="tab:red", linestyle="dotted", label="clients' loss")
    losses.set(ylabel="loss", ylim=(min(0, losses.get_ylim()[0]), None))
    axes.legend(handles=[*axes.lines, *losses.lines], fontsize="x-small", loc="center right")


def _confusion(axes: Any, records: Records) -> None:
    last = records[-1]
    counts, names = last["confusion"], list(last["label_accuracy"])
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(names))
    axes.set(title=f"confusion after global round {last['global_round']}", xlabel="classified as", ylabel="label")
    axes.set_xticks(places, names, rotation=90, fontsize="x-small")
    axes.set_yticks(places, names, fontsize="x-small")
    if len(names) <= _MOST_LINES:
        for row in places:
            for column in places:
                colour = "white" if shares[row][column] > 0.5 else "black"
                count = str(counts[row][column])
                axes.text(column, row, count, ha="center", va="center", fontsize="x-small", color=colour)


def _clients(axes: Any, records: Records) -> None:
    last = records[-1]
    for place, (name, accuracies) in enumerate(last["client_accuracy"].items()):
        axes.scatter([place] * len(accuracies), accuracies, s=12, alpha=0.6, color="tab:blue")
        axes.scatter([place], [last["station_accuracy"][name]], marker="_", s=200, color="black")
    title = f"clients (dots) and base stations (bars), own samples, global round {last['global_round']}"
    axes.set(xlabel="base station", ylabel="accuracy", ylim=(0, 1))
    axes.set_title(title, fontsize="small")


_PANELS: Sequence[tuple[Callable[[Mapping[str, Any]], bool], Callable[[Any, Records], None]]] = (
    (lambda last: "accuracy" in last, _progress),
    (lambda last: "runs" in last, lambda axes, records: _curves(axes, records, "runs", "global models, test samples")),
    (
        lambda last: "label_accuracy" in last,
        lambda axes, records: _curves(axes, records, "label_accuracy", "by label, test samples"),
    ),
    (lambda last: "confusion" in last, _confusion),
    (
        lambda last: "station_accuracy" in last,
        lambda axes, records: _curves(axes, records, "station_accuracy", "by base station, own samples"),
    ),
    (lambda last: "client_accuracy" in last, _clients),
    (
        lambda last: "epsilon" in last,
        lambda axes, records: _curves(axes, records, "epsilon", "privacy, by base station", "ε"),
    ),
)
"""Each with whether a run's last line has what it draws."""
