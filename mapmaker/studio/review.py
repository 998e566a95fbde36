"""The review page: every picture, what we suggest and why, and one key to decide."""

from collections.abc import Callable
from contextlib import closing
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mapmaker.errors import MapmakerError
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.quarantine import locate
from mapmaker.prune.thumbs import thumbs_of
from mapmaker.stopping import StopFlag
from mapmaker.studio.board import Board
from mapmaker.studio.guard import Guard
from mapmaker.studio.marking import Marking, Nonsense
from mapmaker.studio.pictures import converted, native, thumbnail
from mapmaker.studio.server import serve
from mapmaker.workspace import Dataset

_STATIC = Path(__file__).parent / "static"
_MOST_BYTES = 16_000_000  # of one request's body: 200,000 pictures marked at once
_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # the URL is the content
_FRESH = {"Cache-Control": "no-cache"}


class Review:
    """One data set under review. The marks of the page are on the disk before it is told so.

    Raises MapmakerError when the data set has not been pruned yet.
    """

    def __init__(self, dataset: Dataset, finish: Callable[[], None]) -> None:
        self.dataset, self._finish = dataset, finish
        self.decisions = Decisions(dataset.decisions)
        try:
            self.board = Board(dataset, self.decisions)
        except BaseException:
            self.decisions.close()
            raise
        self.marking = Marking(self.decisions, self.board)
        self.thumbs = thumbs_of(dataset)

    def close(self) -> None:
        """Close the files."""
        self.decisions.close()
        self.thumbs.close()

    def app(self) -> Starlette:
        """Return the page as an ASGI app."""
        routes = [
            Route("/", self.page),
            Route("/api/pictures", self.pictures),
            Route("/api/marks", self.marks),
            Route("/api/steps", self.steps, methods=["POST"]),
            Route("/api/finish", self.finish, methods=["POST"]),
            Route("/thumb/{id}", self.thumb),
            Route("/picture/{id}", self.picture),
            Mount("/static", _Static(directory=_STATIC)),
        ]
        refusals = {HTTPException: _error, MapmakerError: _error, Nonsense: _error}
        return Starlette(routes=routes, middleware=[Middleware(Guard)], exception_handlers=refusals)

    async def page(self, request: Request) -> Response:
        return FileResponse(_STATIC / "review.html", headers=_FRESH)

    async def pictures(self, request: Request) -> Response:
        packs = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
        if packs:
            headers["Content-Encoding"] = "gzip"
        body = self.board.packed if packs else self.board.body
        return Response(body, media_type="application/json", headers=headers)

    def marks(self, request: Request) -> Response:
        since = request.query_params.get("since", "")
        told = self.marking.since(int(since)) if _is_seq(since) else self.marking.all()
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def steps(self, request: Request) -> Response:
        asked = await self._asked(request)
        since = asked.get("since", 0)
        if not isinstance(since, int) or not _is_seq(str(since)):
            raise Nonsense("since must be the number of a mark")
        return JSONResponse(await run_in_threadpool(self.marking.take, asked.get("steps"), since))

    async def finish(self, request: Request) -> Response:
        await self._asked(request)
        self._finish()
        return JSONResponse({"finished": True})

    async def thumb(self, request: Request) -> Response:
        row = self._row(request)
        # A kept one is read in 50 us, which a thread would only slow down.
        data = self.thumbs.get(row["id"])
        if data is None:
            data = await run_in_threadpool(self._new_thumb, row)
        return Response(data, media_type="image/jpeg", headers=_FOR_EVER)

    def picture(self, request: Request) -> Response:
        path = locate(self.dataset, self._row(request))
        try:
            if kind := native(path):
                return FileResponse(path, media_type=kind, headers=_FOR_EVER)
            return Response(converted(path), media_type="image/jpeg", headers=_FOR_EVER)
        except MapmakerError as error:
            raise HTTPException(404, str(error)) from error

    async def _asked(self, request: Request) -> dict[str, Any]:
        """Return what the page sent, when it is the page of this data set and not an older one."""
        asked = await _json(request)
        if asked.get("key") != self.board.key:
            raise HTTPException(409, "this page is another data set's; load it again")
        return asked

    def _new_thumb(self, row: dict[str, Any]) -> bytes:
        try:
            return thumbnail(self.thumbs, row["id"], locate(self.dataset, row))
        except MapmakerError as error:
            raise HTTPException(404, str(error)) from error

    def _row(self, request: Request) -> dict[str, Any]:
        row = self.board.rows.get(request.path_params["id"])
        if row is None:
            raise HTTPException(404, "no such picture")
        return row


class _Static(StaticFiles):
    """Our own scripts, asked for again after an update."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_FRESH)
        return response


def serve_review(
    dataset: Dataset,
    host: str = "127.0.0.1",
    port: int = 8007,
    open_browser: bool = False,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the page until the person finishes; `ready` gets its URL once it answers.

    Raises as `serve` and Review do, Stopped on Ctrl-C or SIGTERM: every acknowledged mark is on
    the disk.
    """
    done = StopFlag()
    with closing(Review(dataset, done.request)) as review:
        stop = serve(review.app(), done, host, port, open_browser, ready)
    if stop:
        raise stop.error(
            "The review was stopped; every mark is saved.",
            hint=f"Run `mapmaker prune {dataset.name}` to go on with it.",
        )


def _is_seq(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


async def _json(request: Request) -> dict[str, Any]:
    """Return the request's JSON object. Raises HTTPException (400, 413) for anything else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, "too much at once")
    try:
        value = loads(body)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, "not JSON") from error
    if not isinstance(value, dict):
        raise HTTPException(400, "a JSON object is wanted")
    return value


async def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code)
    if isinstance(error, Nonsense):
        return JSONResponse({"error": str(error)}, 400)
    hint = getattr(error, "hint", "")
    return JSONResponse({"error": f"{error} {hint}".strip()}, 507)
