"""`make prove`: everything that holds the contract and takes long, part by part, and a summary.

What clashes with the pins of `.venv` (halmos, slither) has a virtual environment of its own, `.cache/prove`.
"""

import json
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "prove"
TOOLS = CACHE / "venv"
REQUIREMENTS = ROOT / "requirements-prove.txt"
PROOFS = ROOT / "contracts" / "test" / "proofs"
HALMOS_RESULTS = CACHE / "halmos.json"
# Wall-clock seconds for one question to the solver; the longest takes half a minute of an idle core.
SOLVER_TIMEOUT = 600
# Per cent of the contract's lines that forge's random calls must reach.
LINES_REACHED = 95


class Failed(Exception):
    """A part that does not hold, and what to look at."""


def set_up() -> None:
    """Install the pinned tools, once for each state of the pins."""
    pins, stamp = REQUIREMENTS.read_text(encoding="utf-8"), TOOLS / ".complete"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == pins:
        return
    click.echo("Setting up halmos, bitwuzla and slither (300 MB)")
    venv.create(TOOLS, clear=True, with_pip=True)
    options = ["--quiet", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    run([str(TOOLS / "bin" / "python"), "-m", "pip", "install", *options, "-r", str(REQUIREMENTS)])
    stamp.write_text(pins, encoding="utf-8")


def run(command: list[str], **environment: str) -> str:
    """Run a command in the checkout, show what it says while it runs, and return it.

    Raises:
        Failed: it ends with an error.
    """
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            click.echo(line, nl=False)
            said.append(line)
    if process.returncode:
        raise Failed(f"{Path(command[0]).name} ends with {process.returncode}")
    return "".join(said)


def tool_environment(profile: str) -> dict[str, str]:
    """Finds forge; keeps in the checkout what the tools would leave in the home directory and in /tmp."""
    home, scratch = CACHE / "home", CACHE / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(exist_ok=True)
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), str(TOOLS / "bin"), os.environ["PATH"]])
    return {"FOUNDRY_PROFILE": profile, "HOME": str(home), "TMPDIR": str(scratch), "PATH": path}


def proofs_written() -> set[str]:
    """The names of all proofs in the sources."""
    sources = (path.read_text(encoding="utf-8") for path in PROOFS.glob("*.t.sol"))
    return {name for source in sources for name in re.findall(r"function (check_\w+)", source)}


def halmos() -> None:
    """Every proof passes, none was left out, and no path was cut short."""
    set_up()
    HALMOS_RESULTS.unlink(missing_ok=True)
    solver = f"{TOOLS / 'bin' / 'python'} {ROOT / 'scripts' / '_solver.py'}"
    command = [str(TOOLS / "bin" / "halmos"), "--root", str(ROOT), "--forge-build-out", ".cache/forge/proofs"]
    # Forge keeps what it once compiled, also of proofs that are gone.
    contracts = "|".join(sorted(path.name.removesuffix(".t.sol") for path in PROOFS.glob("*Proof.t.sol")))
    command += ["--match-contract", f"^({contracts})$"]
    limits = ["--loop", "70", "--solver-timeout-assertion", f"{SOLVER_TIMEOUT}s"]
    # Paths that cannot be taken: in its default of 1 ms the solver finds few of them, and each is a question more.
    limits += ["--solver-timeout-branching", "100ms"]
    output = ["--no-status", "--json-output", str(HALMOS_RESULTS)]
    run([*command, *limits, *output, "--solver-command", solver], **tool_environment("proofs"))
    check_halmos(json.loads(HALMOS_RESULTS.read_text(encoding="utf-8")), proofs_written())


def check_halmos(results: dict[str, dict[str, list[dict[str, object]]]], written: set[str]) -> None:
    """What halmos' exit status does not tell.

    Raises:
        Failed: a proof did not pass or was not run, or paths of one were left out.
    """
    tests = [test for contract in results["test_results"].values() for test in contract]
    missing = written - {str(test["name"]).partition("(")[0] for test in tests}
    if missing or not written:
        raise Failed(f"not run: {', '.join(sorted(missing)) or 'there are no proofs'}")
    for test in tests:
        if test["exitcode"] != 0:
            raise Failed(f"not proven: {test['name']}")
        if test["num_bounded_loops"]:
            raise Failed(f"{test['name']}: a loop is longer than was looked at")


def slither() -> None:
    """No finding is left without an answer at its line, and every contract was looked at."""
    set_up()
    # A contract that fails to compile would be no finding.
    said = run([str(TOOLS / "bin" / "slither"), "."], **tool_environment("slither"))
    analysed = re.search(r"analyzed \((\d+) contracts", said)
    defined = sum(
        len(re.findall(r"^(?:abstract contract|contract|interface|library) ", path.read_text("utf-8"), re.MULTILINE))
        for path in (ROOT / "contracts").rglob("*.sol")
        if not {".cache", "test"} & set(path.relative_to(ROOT / "contracts").parts)
    )
    if not analysed or int(analysed[1]) < defined:
        raise Failed(f"slither looked at {analysed[1] if analysed else 'no'} contracts of {defined}")


def invariants() -> None:
    """Forge's random calls, ten times as many as by default."""
    command = [str(ROOT / ".venv" / "bin" / "forge"), "test", "--match-path", "contracts/test/invariants/*"]
    said = run(command, FOUNDRY_INVARIANT_RUNS="320")
    if not re.search(r"[1-9]\d* tests? passed", said):
        raise Failed("forge ran no test")


def coverage() -> None:
    """Forge's random calls reach at least 95 % of the contract's lines."""
    command = [str(ROOT / ".venv" / "bin" / "forge"), "coverage", "--ir-minimum", "--gas-limit", str(10**11)]
    command += ["--match-path", "contracts/test/invariants/*", "--match-test", "test_handler"]
    check_coverage(run([*command, "--no-match-coverage", "contracts/test"]))


def check_coverage(said: str) -> None:
    """The total of forge's table: lines come first.

    Raises:
        Failed: there is none, or too few lines are reached.
    """
    total = re.search(r"^\| Total +\| +([\d.]+)% \(", said, re.MULTILINE)
    if not total:
        raise Failed("forge says nothing of coverage")
    if float(total[1]) < LINES_REACHED:
        raise Failed(f"{total[1]} % of the lines are reached, {LINES_REACHED} % required")


def hypothesis() -> None:
    """The searches over random rounds and random walks, at length."""
    run([*APE_TEST, "tests/analysis", "tests/contracts/stateful", "--hypothesis-profile=search"])


def heavy() -> None:
    """Tests that take minutes each."""
    run([*APE_TEST, "-m", "heavy"])


def mutation() -> None:
    """Tests notice at least 95 % of the changes to the contracts."""
    run([sys.executable, "-m", "tests.mutation", "--again"])  # tests change, too


APE_TEST = [str(ROOT / ".venv" / "bin" / "ape"), "test"]
PARTS: dict[str, Callable[[], None]] = {
    part.__name__: part for part in (halmos, slither, invariants, coverage, heavy, hypothesis, mutation)
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Run these PARTS, or all, and say which hold."""
    summary, failed = [], False
    for name in parts or tuple(PARTS):
        click.secho(f"\n── {name}: {PARTS[name].__doc__}", bold=True)
        began, outcome = time.monotonic(), "holds"
        try:
            PARTS[name]()
        except Failed as error:
            outcome, failed = f"FAILS: {error}", True
        summary.append(f"{name:<12}{(time.monotonic() - began) / 60:6.1f} min  {outcome}")
    click.echo("\n" + "\n".join(summary))
    sys.exit(failed)


if __name__ == "__main__":
    main()
