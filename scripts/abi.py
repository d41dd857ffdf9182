"""`ape run abi`: what the package, which is installed without the sources, knows of the contract."""

import click
from ape import project

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401


@click.command()
def cli() -> None:
    """Write fl/market/HCFL.abi.json and HCFL.code-hash.txt from the sources, after a change of the contract."""
    from analysis.provenance import write_document
    from fl.atomic import write_atomically
    from fl.market.client import ABI, CODE_HASH, code_hash_of
    from fl.market.deployment import abi_of, compiled, runtime_code_of

    contract = compiled(project)
    write_document(ABI, abi_of(contract))
    write_atomically(CODE_HASH, f"{code_hash_of(runtime_code_of(contract))}\n".encode())
    click.echo(f"Written: {ABI} and {CODE_HASH}")
