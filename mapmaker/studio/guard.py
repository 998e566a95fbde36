"""Only this page, in this browser, on this machine, may talk to the server.

A server on 127.0.0.1 is reached by every web page the person has open, and by names that point
there on purpose (DNS rebinding). So: exact hosts, no cross-origin writes, nothing embeddable.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware that answers 403 to strangers and adds the headers that keep them out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        reason = refusal(scope)
        if reason:
            await PlainTextResponse(reason, 403)(scope, receive, send_guarded)
        else:
            await self.app(scope, receive, send_guarded)


def refusal(scope: Scope) -> str:
    """Return why a request is refused, or "" when it may pass."""
    headers = Headers(scope=scope)
    hosts, host = headers.getlist("host"), headers.get("host", "")
    port = (scope.get("server") or ("", None))[1]
    allowed = {f"{name}:{port}" for name in LOOPBACK} | (set(LOOPBACK) if port == 80 else set())
    if len(hosts) != 1 or host not in allowed:
        return "This server answers to 127.0.0.1 and localhost only."
    site = headers.get("sec-fetch-site")
    if scope["method"] in ("GET", "HEAD"):
        foreign = site in ("cross-site", "same-site")
        if foreign and headers.get("sec-fetch-mode") != "navigate":
            return "Another site may not read from this server."
        return ""
    if site is not None and site != "same-origin":
        return "Another site may not write to this server."
    # Browsers send Origin with every POST; "null" and anything foreign differ from our own.
    if headers.get("origin") != f"http://{host}":
        return "A write must come from the page itself."
    if headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return "A write must be JSON."
    return ""
