"""`make consortium`: three owners and three base stations, each a process of its own, through whole rounds."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from analysis.consortium import bucket
from analysis.consortium.chain import Node, anvil, hardhat
from analysis.consortium.cheats import CHEATS
from analysis.consortium.ending import ending
from analysis.consortium.installation import INSTALL, installed
from analysis.consortium.organisations import APE, COSTS, VALUES, ConsortiumError, configure, found
from analysis.consortium.rounds import Consortium
from analysis.consortium.story import MUTE
from fl.market.nodes import connected

NODES: Mapping[str, Callable[[float], AbstractContextManager[Node]]] = {
    "anvil": anvil,
    "hardhat": hardhat,
    "hardhat-without-prevrandao": partial(hardhat, randomness=False),
}


ALL = "all"
"""Every hostile update."""


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 if all of it ended as it should."""
    names = [*VALUES, *COSTS]
    parser = argparse.ArgumentParser(prog="make consortium", description=__doc__)
    parser.add_argument("--rounds", type=int, metavar="N", help="one after the other (2, or one for each --hostile)")
    parser.add_argument("--kill", action="append", default=[], choices=names, help="end it by SIGKILL now and then")
    parser.add_argument(
        "--hostile",
        action="append",
        default=[],
        choices=[ALL, *sorted(CHEATS)],
        metavar="WHAT",
        help=f"what the last base station sends; several: one in each round, in turn; {ALL}: {'; '.join(CHEATS)}",
    )
    parser.add_argument("--mute", choices=list(VALUES), help="a proposer that sends no text")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which members are killed (1)")
    parser.add_argument("--block", type=float, default=0.25, metavar="S", help="seconds between two blocks (0.25)")
    parser.add_argument("--node", choices=list(NODES), default="anvil", help="of the chain (anvil)")
    parser.add_argument(
        "--hcfl",
        type=Path,
        nargs="?",
        const=INSTALL,
        metavar="PROGRAM",
        help="members' commands of an installed package; without PROGRAM it is installed first (6 GB in .cache)",
    )
    parser.add_argument("--store", choices=["s3", "folder"], default="s3", help="what the members share (s3)")
    parser.add_argument("--out", type=Path, help="a new folder that keeps everything; else it is removed")
    options = parser.parse_args(arguments)
    hostile = list(CHEATS) if ALL in options.hostile else options.hostile
    rounds = options.rounds or max(2, len(hostile))
    numbers = range(1, rounds + 1)
    deviants = {options.mute: dict.fromkeys(numbers, MUTE)} if options.mute else {}
    if hostile:
        deviants[list(COSTS)[-1]] = dict(zip(numbers, cycle(hostile), strict=False))

    def run() -> int:
        program = APE if options.hcfl is None else (str(installed(options.hcfl)),)
        with ExitStack() as stack:
            root = stack.enter_context(_folder(options.out))
            here = stack.enter_context(NODES[options.node](options.block))
            stack.enter_context(connected([here.url]))
            members = found(root, here.chain, program)
            server = None
            if options.store == "s3":
                server = stack.enter_context(bucket.serve(root / "s3", *(each.address for each in members)))
            for each in members:
                if server is None:
                    configure(each, [here.url], str(root / "store"), {})
                else:
                    configure(each, [here.url], f"s3://{bucket.BUCKET}", server.options(each.address))
            consortium = Consortium(root, here, members, deviants, tuple(options.kill), options.seed)
            consortium.found()
            consortium.play(rounds)
        return 0

    return ending(run)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="consortium-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        raise ConsortiumError(f"{out} is there already: name another folder with --out, or remove it") from None
    yield out.resolve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
