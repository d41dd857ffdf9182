"""The live page: a server that shows the rounds of a deployment to whoever looks, and reads the node once for all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jinja2
from anyio import to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analysis.provenance import ROOT
from analysis.report.page import WEB, context, environment
from fl.market.membership_file import MembershipList
from fl.market.terms_file import PHASES
from web import take_part
from web.reader import RoundSeen, Snapshot
from web.view import view_of

SECONDS = 1.0
"""Between two looks at the node; `PATIENCE` times as long while it does not answer."""

PATIENCE = 4

NODE_MODULES = ROOT / "node_modules"
STATIC = {
    "style.css": WEB / "static" / "style.css",
    "live.css": WEB / "static" / "live.css",
    "tables.js": WEB / "static" / "tables.js",
    "live.js": WEB / "static" / "live.js",
    "htmx.js": NODE_MODULES / "htmx.org" / "dist" / "htmx.min.js",
    "hx-sse.js": NODE_MODULES / "htmx.org" / "dist" / "ext" / "hx-sse.min.js",
    "uplot.js": NODE_MODULES / "uplot" / "dist" / "uPlot.iife.min.js",
    "uplot.css": NODE_MODULES / "uplot" / "dist" / "uPlot.min.css",
    "ethers.js": NODE_MODULES / "ethers" / "dist" / "ethers.min.js",
    **{f"wallet/{path.name}": path for path in (WEB / "static" / "wallet").glob("*.js")},
}
"""The files that a page may load: ours, and single files of pinned packages; no others are served."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_ROUND_ID = re.compile("[0-9]{1,78}")
"""The contract counts to 2^256."""

Poll = Callable[[], Snapshot]


@dataclass
class Board:
    """The newest snapshot, and the pages that are made of it, each once for all viewers."""

    poll: Poll
    templates: jinja2.Environment
    seconds: float
    called: Mapping[str, str]
    snapshot: Snapshot = field(default_factory=Snapshot)
    version: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _drawing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _made: dict[str, tuple[object, str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look at the node for as long as the server runs."""
        while True:
            snapshot = await to_thread.run_sync(self.poll)
            if snapshot != self.snapshot:
                self.snapshot, self.version = snapshot, self.version + 1
                self._changed.set()
                self._changed = asyncio.Event()
            await asyncio.sleep(self.seconds * (PATIENCE if snapshot.trouble else 1))

    async def versions(self) -> AsyncIterator[int]:
        """The version now, then each newer one; who is slow misses those in between."""
        while True:
            version, changed = self.version, self._changed
            yield version
            if version == self.version:
                await changed.wait()

    def made(self, name: str, key: object, make: Callable[[], str]) -> str:
        """A page, made anew where what it is made of has changed."""
        known = self._made.get(name)
        if known is None or known[0] != key:
            self._made[name] = known = (key, make())
        return known[1]

    def rounds(self) -> str:
        """The list, as a part of its page."""
        return self.made("rounds", self.version, lambda: self._render("_rounds.html", views=self._views()))

    def _views(self) -> list[Any]:
        return [view_of(seen) for _, seen in sorted(self.snapshot.rounds.items(), reverse=True)]

    def round(self, round_id: int) -> str:
        """A round, as a part of its page."""
        seen = self.snapshot.rounds.get(round_id)
        if seen is None:  # kept for nobody: there is no end of numbers that one can ask for
            return self._render("_absent.html", round_id=round_id)

        def make() -> str:
            view = view_of(seen)
            return self._render("_round.html", view=view, curve=json.dumps(view.curve), report=seen.report)

        return self.made(f"round {round_id}", self.version, make)

    async def report(self, seen: RoundSeen) -> str:
        """The report of a round that is over; drawn beside the server's work."""
        assert seen.source is not None
        source = replace(seen.source, called=self.called)

        def make() -> str:
            return self.templates.get_template("_report.html").render(**context(source, live=True))

        # One at a time: matplotlib draws in one thread only, and who comes second finds it made.
        async with self._drawing:
            return await to_thread.run_sync(self.made, f"report {seen.record.round_id}", seen.report, make)

    def _render(self, template: str, **values: Any) -> str:
        return self.templates.get_template(template).render(snapshot=self.snapshot, called=self.called, **values)


def app_of(
    poll: Poll,
    seconds: float = SECONDS,
    called: Mapping[str, str] | None = None,
    listed: MembershipList | None = None,
) -> Starlette:
    """The server.

    Args:
        poll: reads the node; called by one thread at a time.
        seconds: between two calls of it.
        called: how people call a member, by account.
        listed: the membership list, for who takes part from the page.
    """
    templates = environment()
    board = Board(poll, templates, seconds, defaultdict(str, called or {}))

    async def index(request: Request) -> Response:
        return _page("rounds.html", part=board.rounds())

    async def round_page(request: Request) -> Response:
        round_id = _round_id(request)
        return _page("round.html", part=board.round(round_id), round_id=round_id)

    async def report(request: Request) -> Response:
        seen = board.snapshot.rounds.get(_round_id(request))
        if seen is None or seen.source is None:
            raise HTTPException(404, "There is no report of this round.")
        return HTMLResponse(await board.report(seen))

    async def take_part_page(request: Request) -> Response:
        return _page(
            "take_part.html",
            round_id=_round_id(request),
            deadlines=PHASES,
            seconds=seconds,
        )

    async def contract(request: Request) -> Response:
        return JSONResponse(take_part.contract(board.snapshot))

    async def member(request: Request) -> Response:
        account = request.path_params["account"]
        return JSONResponse(take_part.member(board.snapshot, _round_id(request), listed, account))

    async def index_events(request: Request) -> Response:
        return _stream(board, board.rounds)

    async def round_events(request: Request) -> Response:
        round_id = _round_id(request)
        return _stream(board, lambda: board.round(round_id))

    async def static(request: Request) -> Response:
        path = STATIC.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(path)

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        page = templates.get_template("refused.html").render(words=error.detail)
        return HTMLResponse(page, error.status_code)

    def _page(template: str, **values: Any) -> Response:
        return HTMLResponse(templates.get_template(template).render(snapshot=board.snapshot, **values))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(board.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return Starlette(
        routes=[
            Route("/", index),
            Route("/events", index_events),
            Route("/rounds/{round_id}", round_page),
            Route("/rounds/{round_id}/events", round_events),
            Route("/rounds/{round_id}/report", report),
            Route("/rounds/{round_id}/take-part", take_part_page),
            Route("/rounds/{round_id}/members/{account}", member),
            Route("/contract.json", contract),
            Route("/static/{name:path}", static),
        ],
        exception_handlers={HTTPException: refuse},
        middleware=[Middleware(Headers)],
        lifespan=lifespan,
    )


def _round_id(request: Request) -> int:
    said: str = request.path_params["round_id"]
    if not _ROUND_ID.fullmatch(said):
        raise HTTPException(404, "There is no such round.")
    return int(said)


def _stream(board: Board, part: Callable[[], str]) -> Response:
    """A part of a page, whenever it has changed."""

    async def events() -> AsyncIterator[ServerSentEvent]:
        last = None
        async for _ in board.versions():
            if (made := part()) != last:
                last = made
                yield ServerSentEvent(data=made)

    return EventSourceResponse(events(), send_timeout=30)


class Headers:
    """Every answer says what a page may load and run, unless it says so itself."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add to the headers."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)
