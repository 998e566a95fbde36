"""What a link on a page really points at: unwrapped, made absolute, refused when unsafe."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, urljoin, urlsplit, urlunsplit

from mapmaker.scrape.guard import is_private
from mapmaker.scrape.source import Source

_MAX_WRAPPERS = 3


@dataclass(frozen=True, slots=True)
class Link:
    """An address we may ask for (`refusal` None), or one we must not, with the gap's reason."""

    url: str
    wrapper_url: str | None = None
    refusal: str | None = None


def read_link(source: Source, page_url: str, href: str) -> Link | None:
    """Return what `href` on `page_url` points at; None for an anchor, mail address or script.

    White space inside the value goes. A wrapper such as `leaving.asp?url=X` is taken apart, up to
    three deep, and never asked for. `refusal` is "unsafe-link" for other schemes, private addresses
    and anything that cannot be read, and "foreign-host" for hosts the card does not name.
    """
    href = "".join(c for c in href.strip() if c not in "\r\n\t\0")
    if not href or href.startswith("#") or _scheme(href) in ("mailto", "javascript", "data"):
        return None
    wrapper = None
    try:
        url = _absolute(page_url, href)
        for _ in range(_MAX_WRAPPERS):
            inner = unwrap(source, url)
            if inner is None:
                break
            wrapper, url = wrapper or url, _absolute(url, inner)
        refusal = refuse(source, url)
        if refusal is None and unwrap(source, url) is not None:
            refusal = "unsafe-link"
    except ValueError:
        return Link(href, wrapper, "unsafe-link")
    return Link(url, wrapper, refusal)


def unwrap(source: Source, url: str) -> str | None:
    """Return the address inside a wrapper, or None when `url` is no wrapper."""
    parts = urlsplit(url)
    if not source.wrapper_path or parts.path.lower() != source.wrapper_path.lower():
        return None
    values = parse_qs(parts.query, keep_blank_values=True).get(source.wrapper_parameter)
    return values[0].strip() if values else ""


def refuse(source: Source, url: str) -> str | None:
    """Return why `url` must not be asked for, or None when it may."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return "unsafe-link"
    if parts.netloc.lower() in source.hosts:
        return None
    if parts.hostname in source.hosts:
        return None if parts.port in (None, 80, 443) else "foreign-host"
    return "unsafe-link" if is_private(parts.hostname) else "foreign-host"


def page_address(source: Source, url: str) -> str:
    """Return a page's address without the parameters that do not change what it says."""
    parts = urlsplit(url)
    kept = [
        p for p in parts.query.split("&") if p.split("=")[0].lower() not in source.drop_parameters
    ]
    return urlunsplit(parts._replace(query="&".join(kept), fragment=""))


def identity(source: Source, url: str) -> str:
    """Return what two addresses of the same thing share: on one site the host does not count."""
    return _identity(url, source.hosts if source.one_site else ())


@lru_cache(maxsize=16_384)  # the same file is named by pages, log, parts and gaps
def _identity(url: str, one_site: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # http://[ is no address, and the same as itself
        return url
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if parts.hostname in one_site else f"{parts.netloc}{path}"


def path_and_query(url: str) -> str:
    """Return the part of an address that a card's expressions look at."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _absolute(base: str, href: str) -> str:
    parts = urlsplit(urljoin(base, href))
    return urlunsplit(parts._replace(scheme=parts.scheme.lower(), fragment=""))


def _scheme(href: str) -> str:
    head, colon, _ = href.partition(":")
    return head.lower() if colon and head.isalnum() else ""
