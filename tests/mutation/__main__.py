"""`python -m tests.mutation`: change the contracts in every way listed and see that a test fails each time."""

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock

import click

from analysis.devnode.sources import refusal
from tests.mutation.mutants import Mutant, MutantError, read_mutants
from tests.mutation.report import REQUIRED, code, fingerprint, read, score, write
from tests.mutation.workshop import CONTRACT, ROOT, Verdict, Workshop, last_commit

AMOUNTS = ("/ClarkeTax.sol", "/Settlement.sol", "/Lanes.sol", "/Escrow.sol", "/HCFL.sol")


def select(mutants: list[Mutant], pattern: str | None) -> list[Mutant]:
    """Those whose file or description has the pattern."""
    if pattern is None:
        return mutants
    return [mutant for mutant in mutants if re.search(pattern, f"{mutant.file} {mutant.why}", re.IGNORECASE)]


def importance(mutant: Mutant) -> tuple[bool, int]:
    """Where amounts come from goes first, so that a run that is stopped has tried what matters most.

    One that no test is known to notice takes all tests, and goes last.
    """
    place = next((i for i, name in enumerate(AMOUNTS) if mutant.file.endswith(name)), len(AMOUNTS))
    return bool(mutant.survives), place


def fault_of(mutant: Mutant) -> str | None:
    """Why a mutant of the checkout says nothing about the tests, None if it may."""
    try:
        changed = mutant.changed(ROOT)
    except MutantError as error:
        return str(error)
    if code(changed) == code((ROOT / mutant.file).read_text(encoding="utf-8")):
        return "it changes nothing"
    return refusal(CONTRACT, {mutant.file: changed})


def check(
    mutants: list[Mutant], jobs: int, baseline: bool, sources: Path, scratch: Path, told: Callable[[Verdict], None]
) -> list[Verdict]:
    """Try every mutant out, in the list's order, `jobs` at a time; `told` hears of each.

    Raises:
        MutantError: tests fail without a change; or, once the others are tried, the first one that could not be.
    """
    workshops: SimpleQueue[Workshop] = SimpleQueue()
    for number in range(jobs):
        workshops.put(Workshop(scratch / str(number), sources))
    if baseline:
        workshop = workshops.get()
        workshop.compile()
        failed = workshop.first_failure(())
        if failed:
            raise MutantError(f"{failed} fails without any change; mend that first")
        workshops.put(workshop)
        click.echo("The tests pass without a change.")

    def one(mutant: Mutant) -> Verdict:
        workshop = workshops.get()
        try:
            verdict = workshop.try_out(mutant)
        except MutantError as error:
            click.echo(f"not tried: {error}")
            raise
        finally:
            workshops.put(workshop)
        noticed = f"caught by {verdict.caught_by}" if verdict.caught_by else "SURVIVED"
        click.echo(f"{verdict.seconds:5.0f} s  {Path(mutant.file).stem}: {mutant.why}: {noticed}")
        told(verdict)
        return verdict

    pool = ThreadPoolExecutor(jobs)
    try:
        futures = [pool.submit(one, mutant) for mutant in mutants]
        wait(futures)
    finally:
        pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Mutants at a time.")
@click.option("--only", metavar="PATTERN", help="Those whose file or description matches; writes no results.")
@click.option("--list", "list_", is_flag=True, help="List them, and say which can tell nothing about the tests.")
@click.option("--baseline/--no-baseline", default=True, help="First run all tests without a change.")
@click.option("--again", is_flag=True, help="Also try those that an earlier run caught on the same contracts.")
def main(jobs: int, only: str | None, list_: bool, baseline: bool, again: bool) -> None:
    """Change the contracts in every way listed, one at a time, and see that a test fails.

    Fails below 95 %. Works in temporary copies of the last commit; takes about half a minute a mutant and job. A run
    that was stopped goes on where it was.
    """
    try:
        mutants = select(read_mutants(), only)
        if not mutants:
            raise MutantError(f"no mutant matches {only}")
        if list_:
            with ThreadPoolExecutor(jobs) as pool:
                faults = list(pool.map(fault_of, mutants))
            for mutant, fault in zip(mutants, faults, strict=True):
                click.echo(f"{mutant.file}: {mutant.why}" + (f": {fault}" if fault else ""))
            if any(faults):
                raise MutantError(f"{len(faults) - faults.count(None)} of {len(faults)} say nothing; mend the lists")
            return
        for mutant in mutants:
            mutant.changed(ROOT)
        # Not under `.cache`: ape takes nothing there for a contract.
        with TemporaryDirectory(prefix="hcfl-mutation-", ignore_cleanup_errors=True) as scratch:
            sources = Path(scratch) / "commit"
            last_commit(sources)
            contracts = fingerprint(sources)
            known = [] if again or only else read(mutants, contracts)
            verdicts = list(known)
            tried = {verdict.mutant for verdict in known}
            writing = Lock()

            def keep(verdict: Verdict) -> None:
                with writing:
                    verdicts.append(verdict)
                    if only is None:
                        write(sorted(verdicts, key=lambda v: mutants.index(v.mutant)), len(mutants), contracts)

            waiting = sorted((mutant for mutant in mutants if mutant not in tried), key=importance)
            check(waiting, jobs, baseline, sources, Path(scratch), keep)
    except MutantError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{score(verdicts):.1%} of {len(verdicts)} mutants caught, {REQUIRED:.0%} required.")
    if score(verdicts) < REQUIRED:
        sys.exit(1)


if __name__ == "__main__":
    main()
