"""`ape run abi`: the contract's interface, for the package, which is installed without the sources."""

import click
from ape import project

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401


@click.command()
def cli() -> None:
    """Write fl/market/HCFL.abi.json from the sources, after a change of the contract's interface."""
    from analysis.provenance import write_document
    from fl.market.client import ABI
    from fl.market.deployment import abi_of, compiled

    write_document(ABI, abi_of(compiled(project)))
    click.echo(f"Written: {ABI}")
