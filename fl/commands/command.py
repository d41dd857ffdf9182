"""How the commands of `ape run` end: what is not their fault in one line and with status 1, never in a traceback."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from ape.exceptions import ApeException

from fl.faults import Fault, line_of

INTERRUPTED = 130

UNANSWERED = (
    "nobody has answered; where there is no terminal to ask at, export APE_ACCOUNTS_<alias>_PASSPHRASE, the passphrase "
    "of the account's key file, and nothing is asked"
)


class Command(click.Command):
    """A command of `ape run`."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options."""
        with _one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run."""
        with _one_line():
            return super().invoke(ctx)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except (Fault, ApeException, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:  # `| head`: click ends quietly
            raise
        raise click.ClickException(line_of(error)) from error
    except click.Abort as error:
        click.echo(err=True)  # behind the question
        raise click.ClickException(UNANSWERED) from error
    except (KeyboardInterrupt, SystemExit) as error:
        # Once a node runs, ape turns an interrupt into an exit.
        if isinstance(error, SystemExit) and error.code != INTERRUPTED:
            raise
        error.args = ("interrupted",)
        failure = click.ClickException(line_of(error))
        failure.exit_code = INTERRUPTED
        raise failure from error
