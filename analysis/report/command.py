"""What `ape run report` does, and `ape run crowdfund_round` at its end: a page, from a document or from the chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.report.page import write
from analysis.report.source import ReportError, called_by, from_chain, from_document, from_file
from fl.crowdfunding.folder import DOCUMENT, REPORT
from fl.members.access import Access
from fl.record.document import RoundDocument


def report(round_: str, access: Access, out: Path | None) -> Path:
    """Write the page of a round.

    Args:
        round_: a `round.json`, the folder that it lies in, or the number of a round on chain.
        access: the deployment that has it, and its node; only for a number.
        out: the page; None: `report.html` beside the document, or `report-NUMBER.html` here.

    Returns:
        The page.

    Raises:
        Fault: there is no such round, or it is not over.
        OSError: a file cannot be read or written.
    """
    if not round_.isdecimal() or Path(round_).exists():
        path = Path(round_)
        path = path / DOCUMENT if path.is_dir() else path
        if access.contract is not None:
            raise ReportError(f"--contract names a round on chain by its number, and {round_} is a file: leave one out")
        if not path.exists():
            raise ReportError(f"{path} is not there: name a round.json or, with --contract, the number of a round")
        source, page = from_file(path), out or path.with_name(REPORT)
    else:
        access.check()
        with access.market() as market:
            source, page = from_chain(market, int(round_)), out or Path(f"report-{round_}.html")
            source = replace(source, called=called_by(access, market))
    write(source, page)
    return page


def report_of_document(document: RoundDocument, path: Path, page: Path) -> None:
    """Write the page of a round whose document lies at a path.

    Raises:
        ReportError: it contradicts itself.
        OSError: the page cannot be written.
    """
    write(from_document(document, path), page)
