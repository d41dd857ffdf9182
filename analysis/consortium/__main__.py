"""`make consortium`: three owners and three base stations, each a process of its own, through whole rounds."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from analysis.consortium import bucket
from analysis.consortium.chain import Node, anvil, hardhat
from analysis.consortium.cheats import CHEATS
from analysis.consortium.ending import ending
from analysis.consortium.organisations import APE, COSTS, VALUES, ConsortiumError, configure, found
from analysis.consortium.rounds import Consortium
from fl.market.nodes import connected

NODES: Mapping[str, Callable[[float], AbstractContextManager[Node]]] = {
    "anvil": anvil,
    "hardhat": hardhat,
    "hardhat-without-prevrandao": partial(hardhat, randomness=False),
}


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 if all of it ended as it should."""
    names = [*VALUES, *COSTS]
    parser = argparse.ArgumentParser(prog="make consortium", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="one after the other (2)")
    parser.add_argument("--kill", action="append", default=[], choices=names, help="end it by SIGKILL now and then")
    parser.add_argument("--hostile", choices=sorted(CHEATS), help="what the last base station sends")
    parser.add_argument("--mute", choices=list(VALUES), help="a proposer that sends no text")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which members are killed (1)")
    parser.add_argument("--block", type=float, default=0.25, metavar="S", help="seconds between two blocks (0.25)")
    parser.add_argument("--node", choices=list(NODES), default="anvil", help="of the chain (anvil)")
    parser.add_argument("--hcfl", type=Path, help="this program for the members' commands: of an installed package")
    parser.add_argument("--store", choices=["s3", "folder"], default="s3", help="what the members share (s3)")
    parser.add_argument("--out", type=Path, help="a new folder that keeps everything; else it is removed")
    options = parser.parse_args(arguments)
    deviants = {options.mute: "mute"} if options.mute else {}
    if options.hostile:
        deviants[list(COSTS)[-1]] = options.hostile

    def run() -> int:
        with ExitStack() as stack:
            root = stack.enter_context(_folder(options.out))
            here = stack.enter_context(NODES[options.node](options.block))
            stack.enter_context(connected([here.url]))
            members = found(root, here.chain, APE if options.hcfl is None else (str(options.hcfl.resolve()),))
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
            consortium.play(options.rounds)
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
