"""`python -m analysis.figures NAME`: measures, writes the data, draws, and checks what the caption claims."""

import logging
import sys
import time
from pathlib import Path

import click

from analysis.figures import record
from analysis.figures.catalogue import NAMES, figure
from analysis.figures.figure import Figure, FigureError, Request
from analysis.figures.plot import save


def make(found: Figure, request: Request, folder: Path, redraw: bool) -> bool:
    """Make one figure; whether every claim of its caption holds."""
    setting = found.setting(request)
    click.secho(f"{found.name}, {setting} setting: {found.title}", bold=True)
    if not redraw:
        began = time.monotonic()
        data = found.measure(request)
        path = record.write(found, request, data, time.monotonic() - began, folder)
        click.echo(f"  data     {path}")
    # What is drawn is what was written.
    data = record.read(found.name, setting, folder)["data"]
    click.echo(f"  drawing  {save(found.draw(data), record.stem_of(found.name, setting, folder))}")
    claims = found.claims(data)
    for claim in claims:
        click.secho(f"  {'holds' if claim.holds else 'FAILS'}    {claim.text}", fg=None if claim.holds else "red")
    return all(claim.holds for claim in claims)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small settings: minutes on 2 cores.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Every draw follows from it.")
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False), help="CIFAR-10 as a folder.")
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Where to train: cpu, cuda or auto. The full setting of figures that train is for a GPU; a CPU has its own.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=record.RESULTS, help="Where to write.")
@click.option("--redraw", is_flag=True, help="Draw again from the data that are there.")
def main(
    names: tuple[str, ...], quick: bool, seed: int, data_dir: str | None, device: str, out: Path, redraw: bool
) -> None:
    """Make these figures, or all: data as JSON, drawings as SVG.

    Ends with status 1 if a claim of a caption does not hold.
    """
    logging.getLogger("fl").setLevel(logging.ERROR)
    request = Request(quick, seed, data_dir, device, lambda line: click.echo(f"  {line}"))
    hold = True
    try:
        for name in names or NAMES:
            hold &= make(figure(name), request, out, redraw)
    except FigureError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(not hold)


if __name__ == "__main__":
    main()
