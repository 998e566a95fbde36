"""The review page: every picture, what we suggest and why, and one key to decide."""

import errno
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mapmaker.errors import BadConfig, MapmakerError, MissingPart
from mapmaker.prune.decisions import PERSON, STATES, Decisions, Mark
from mapmaker.prune.kept import features_of
from mapmaker.prune.quarantine import locate
from mapmaker.stopping import StopFlag, stoppable
from mapmaker.studio.guard import Guard
from mapmaker.studio.thumbs import enlarged, thumbnail
from mapmaker.workspace import Dataset

_STATIC = Path(__file__).parent / "static"
_MOST_BYTES = 1_000_000  # of one request's body
_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # the URL is the content


class Review:
    """One data set under review. The marks of the page are on the disk before it is told so.

    Raises MapmakerError when the data set has not been pruned yet.
    """

    def __init__(self, dataset: Dataset, finish: Callable[[], None]) -> None:
        self.dataset, self._finish = dataset, finish
        self.rows = {row["id"]: row for row in reversed(dataset.rows())}
        with closing(features_of(dataset)) as store:
            self._features, self._suggestions = store.all(), store.suggestions()
        if missing := self.rows.keys() - self._features.keys():
            raise MapmakerError(
                f"{len(missing)} pictures of {dataset.name} have not been looked at yet.",
                hint=f"Run `mapmaker prune {dataset.name}` first.",
            )
        self.decisions = Decisions(dataset.decisions)

    def routes(self) -> list[Route | Mount]:
        """Return what the page and its scripts ask for."""
        return [
            Route("/", self.page),
            Route("/api/pictures", self.pictures),
            Route("/api/marks", self.mark, methods=["POST"]),
            Route("/api/undo", self.undo, methods=["POST"]),
            Route("/api/finish", self.finish, methods=["POST"]),
            Route("/thumb/{id}", self.thumb),
            Route("/picture/{id}", self.picture),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]

    def page(self, request: Request) -> Response:
        return FileResponse(_STATIC / "review.html", headers={"Cache-Control": "no-cache"})

    def pictures(self, request: Request) -> Response:
        marks, groups = self.decisions.all(), self.decisions.groups()
        shown = [self._shown(row, marks, groups) for row in self._in_order(groups)]
        return JSONResponse({"dataset": self.dataset.name, "pictures": shown})

    async def mark(self, request: Request) -> Response:
        wanted = (await _json(request)).get("marks")
        if not isinstance(wanted, list):
            raise HTTPException(400, "marks must be a list")
        marks = [self._checked(m) for m in wanted]
        done = await run_in_threadpool(self._write, marks)
        return JSONResponse({"marks": [asdict(m) for m in done]})

    async def undo(self, request: Request) -> Response:
        await _json(request)
        mark = await run_in_threadpool(self.decisions.undo)
        return JSONResponse({"mark": asdict(mark) if mark else None})

    async def finish(self, request: Request) -> Response:
        await _json(request)
        self._finish()
        return JSONResponse({"finished": True})

    def thumb(self, request: Request) -> Response:
        row = self._row(request)
        cache = self.dataset.root / ".thumbs"
        return self._image(lambda: thumbnail(cache, row["id"], locate(self.dataset, row)))

    def picture(self, request: Request) -> Response:
        row = self._row(request)
        return self._image(lambda: enlarged(locate(self.dataset, row)))

    def _write(self, marks: list[Mark]) -> list[Mark]:
        """Write what changes something: a mark sent again after a lost answer is one mark."""
        now = self.decisions.all()
        self.decisions.mark_all(
            m
            for m in marks
            if m.id not in now or (now[m.id].state, now[m.id].by) != (m.state, m.by)
        )
        return marks

    def _checked(self, mark: Any) -> Mark:
        if not isinstance(mark, dict):
            raise HTTPException(400, "a mark must be an object")
        id, state = mark.get("id"), mark.get("state")
        if not isinstance(id, str) or id not in self.rows or state not in STATES:
            raise HTTPException(400, "no such picture or no such state")
        return Mark(id, state, "", PERSON)

    def _in_order(self, groups: dict[str, str]) -> list[dict[str, Any]]:
        """Return the rows with the pictures of one map side by side, in the manifest's order."""
        rows = [row for row in self.dataset.rows() if row["id"] in self.rows]
        rows = list({row["id"]: row for row in rows}.values())
        first: dict[str, int] = {}
        group_of = {row["id"]: groups.get(row["id"]) or row["id"] for row in rows}
        for number, row in enumerate(rows):
            first.setdefault(group_of[row["id"]], number)
        return sorted(rows, key=lambda row: first[group_of[row["id"]]])

    def _shown(
        self, row: dict[str, Any], marks: dict[str, Mark], groups: dict[str, str]
    ) -> dict[str, Any]:
        features, mark = self._features[row["id"]], marks.get(row["id"])
        suggestion = self._suggestions.get(row["id"])
        keeper = self.rows.get(suggestion["keeper"]) if suggestion else None
        return {
            "id": row["id"],
            "name": row.get("title") or Path(row["file"]).stem,
            "file": row["file"],
            "width": features.width,
            "height": features.height,
            "problem": features.problem,
            "group": groups.get(row["id"], ""),
            "state": mark.state if mark else "undecided",
            "by": mark.by if mark else "",
            "rule": suggestion["rule"] if suggestion else "",
            "reason": suggestion["reason"] if suggestion else "",
            "keeper": (keeper.get("title") or Path(keeper["file"]).stem) if keeper else "",
        }

    def _row(self, request: Request) -> dict[str, Any]:
        row = self.rows.get(request.path_params["id"])
        if row is None:
            raise HTTPException(404, "no such picture")
        return row

    def _image(self, make: Callable[[], bytes]) -> Response:
        try:
            return Response(make(), media_type="image/webp", headers=_FOR_EVER)
        except MapmakerError as error:
            raise HTTPException(404, str(error)) from error


def review_app(dataset: Dataset, finish: Callable[[], None] = lambda: None) -> Starlette:
    """Return the page as an ASGI app; `finish` is called when the person says so.

    Raises MapmakerError when the data set has not been pruned yet.
    """
    return _app(Review(dataset, finish))


def _app(review: Review) -> Starlette:
    return Starlette(
        routes=review.routes(),
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: _error, MapmakerError: _error},
    )


def serve_review(
    dataset: Dataset,
    host: str = "127.0.0.1",
    port: int = 8007,
    open_browser: bool = False,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the page until the person finishes; `ready` gets its URL once it answers.

    port 0 takes any free one. Raises BadConfig for a host that is not this machine, MissingPart
    when the port is taken, Stopped on Ctrl-C or SIGTERM: every acknowledged mark is on the disk.
    """
    done = StopFlag()
    review = Review(dataset, done.request)
    with (
        closing(review.decisions),
        _listening(host, port) as listener,
        stoppable() as stop,
    ):
        address, number = listener.getsockname()[:2]
        url = f"http://{f'[{address}]' if ':' in address else address}:{number}/"

        def started() -> None:
            ready(url)
            if open_browser:
                # In a thread: where only a text browser is, opening it would hold up the server.
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

        _Server(_app(review), started, lambda: bool(done) or bool(stop)).run([listener])
        if stop:
            raise stop.error(
                "The review was stopped; every mark is saved.",
                hint=f"Run `mapmaker prune {dataset.name}` to go on with it.",
            )


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to `stoppable` and looks every 0.1 s whether to end."""

    def __init__(
        self, app: Starlette, started: Callable[[], None], ended: Callable[[], bool]
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        self._on_start, self._ended = started, ended

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    async def on_tick(self, counter: int) -> bool:
        return self._ended() or await super().on_tick(counter)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise BadConfig(
            f"{host} would show the page to other machines.",
            hint=f"Stay on 127.0.0.1; from elsewhere, use `ssh -L {port}:127.0.0.1:{port}`.",
        )
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise MissingPart(
                f"Port {port} {'is taken' if taken else f'cannot be used: {error.strerror}'}.",
                hint="Close the other review page, or choose another with --port.",
            ) from error
        yield listener


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
    hint = getattr(error, "hint", "")
    return JSONResponse({"error": f"{error} {hint}".strip()}, 507)
