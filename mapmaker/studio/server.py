"""Serving a page to one person on one machine, until the person has finished."""

import errno
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from mapmaker.errors import BadConfig, MissingPart
from mapmaker.stopping import StopFlag, stoppable


def serve(
    app: Starlette,
    done: StopFlag,
    host: str,
    port: int,
    open_browser: bool,
    ready: Callable[[str], None],
) -> StopFlag:
    """Serve `app` until `done`; `ready` gets its URL once it answers. port 0 takes any free one.

    Returns a flag that is set when Ctrl-C or SIGTERM came instead. Raises BadConfig for a host
    that is not this machine, MissingPart when the port is taken.
    """
    with listening(host, port) as listener, stoppable() as stop:
        address, number = listener.getsockname()[:2]
        url = f"http://{f'[{address}]' if ':' in address else address}:{number}/"

        def started() -> None:
            ready(url)
            if open_browser:
                # In a thread: where only a text browser is, opening it would hold up the server.
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

        _Server(app, started, lambda: bool(done) or bool(stop)).run([listener])
        return stop


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
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Give a socket on this machine. Raises as `serve` does."""
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
