"""Sites on loopback that answer as WordPress and Wikimedia Commons do, by their documentation.

    with WordPress(posts=5) as site: ScrapeConfig(via=site.url)

developer.wordpress.org/rest-api/reference/posts and /media; mediawiki.org API:Categorymembers,
API:Imageinfo, API:Continue, Manual:Maxlag parameter.
"""

import hashlib
import io
import json
import threading
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Asked:
    host: str
    path: str
    query: dict[str, str]
    agent: str
    in_flight: int


Answer = tuple[int, dict[str, str], bytes]


class Site:
    """One server for every host; `answer` says what it sends."""

    robots = "User-agent: *\nDisallow:\n"

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.files: dict[str, bytes] = {}
        self.in_flight = 0
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/robots.txt":
            return 200, {"Content-Type": "text/plain"}, self.robots.encode()
        if asked.path in self.files:
            return 200, {"Content-Type": "image/jpeg"}, self.files[asked.path]
        return 404, {}, b"not here"

    def paths(self) -> list[str]:
        """Return the paths of the files that were asked for, in order."""
        return [a.path for a in self.asked if a.path in self.files]


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            with site.lock:
                site.in_flight += 1
                host, agent = self.headers["Host"], self.headers.get("User-Agent", "")
                asked = Asked(host, parts.path, query, agent, site.in_flight)
                site.asked.append(asked)
            status, headers, body = site.answer(asked)
            with site.lock:
                site.in_flight -= 1
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@cache
def jpeg(seed: int, side: int = 64, grid: bool = True) -> bytes:
    """Return eight by eight squares of a colour each, with lines between them or without."""
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    picture = np.array(Image.fromarray(noise).resize((side, side), Image.Resampling.NEAREST))
    if grid:
        picture[:: side // 8] = picture[:, :: side // 8] = 0
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG")
    return out.getvalue()


def as_json(value: Any, **headers: str) -> Answer:
    said = {"Content-Type": "application/json; charset=UTF-8", **headers}
    return 200, said, json.dumps(value).encode()


class WordPress(Site):
    """A gallery of posts: one picture each, the second post two, the third says no to training."""

    robots = "User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n"
    host = "maps.example.org"

    def __init__(self, posts: int) -> None:
        super().__init__()
        self.posts = [self._post(n) for n in range(1, posts + 1)]
        self.media = [self._medium(n, path) for n, path in enumerate(self.files, 1)]

    def answer(self, asked: Asked) -> Answer:
        lists = {"/wp-json/wp/v2/posts": self.posts, "/wp-json/wp/v2/media": self.media}
        if asked.path not in lists:
            return super().answer(asked)
        rows = lists[asked.path]
        count, offset = int(asked.query.get("per_page", 10)), int(asked.query.get("offset", 0))
        page = int(asked.query.get("page", 1))
        pages = -(-len(rows) // count)
        if count > 100:
            return self._error("rest_invalid_param", "Invalid parameter(s): per_page")
        if page > pages:
            words = "The page number requested is larger than the number of pages available."
            return self._error("rest_post_invalid_page_number", words)
        first = offset or (page - 1) * count
        totals = {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(pages)}
        return as_json(rows[first : first + count], **totals)

    def _error(self, code: str, words: str) -> Answer:
        body = {"code": code, "message": words, "data": {"status": 400}}
        return 400, {"Content-Type": "application/json"}, json.dumps(body).encode()

    def _post(self, n: int) -> dict[str, Any]:
        figures = []
        for name in (f"lair-{n}", *([f"lair-{n}-no-grid"] if n == 2 else [])):
            path = f"/wp-content/uploads/2023/07/{name}.jpg"
            self.files[path] = jpeg(n, grid="no-grid" not in name)
            full = f"https://{self.host}{path}"
            small = full.replace(".jpg", "-300x300.jpg")
            figures.append(
                f'<figure class="wp-block-image size-large"><a href="{full}"><img loading="lazy" '
                f'src="{small}" srcset="{small} 300w, {full} 1024w" alt="" /></a></figure>\n'
            )
        words = "<p>A lair of old.</p>\n"
        if n == 3:
            words += "<p>This map may not be used to train machine learning models.</p>\n"
        return {
            "id": 100 + n, "date": f"2023-07-{n % 28 + 1:02d}T09:00:00", "slug": f"lair-{n}",
            "link": f"https://{self.host}/2023/07/{n:02d}/lair-{n}/", "type": "post",
            "title": {"rendered": f"The Dragon&#8217;s Lair {n}"},
            "content": {"rendered": words + "".join(figures), "protected": False},
            "excerpt": {"rendered": "<p>A lair of old. [&hellip;]</p>\n", "protected": False},
        }  # fmt: skip

    def _medium(self, n: int, path: str) -> dict[str, Any]:
        name = path.rpartition("/")[2].removesuffix(".jpg")
        return {
            "id": n, "date": "2023-07-01T09:00:00", "slug": name, "type": "attachment",
            "link": f"https://{self.host}/{name}/", "title": {"rendered": name.title()},
            "caption": {"rendered": ""}, "alt_text": "", "media_type": "image",
            "mime_type": "image/jpeg", "source_url": f"https://{self.host}{path}",
            "media_details": {"width": 64, "height": 64, "filesize": len(self.files[path])},
        }  # fmt: skip


class Commons(Site):
    """Files of a category: (name, licence) pairs, two to an answer; busy at the first question."""

    robots = "User-agent: *\nDisallow: /w/\nDisallow: /trap/\n"
    URLS: ClassVar = {
        "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0",
        "CC0": "http://creativecommons.org/publicdomain/zero/1.0/deed.en",
    }

    def __init__(self, files: list[tuple[str, str]], lies: str = "") -> None:
        super().__init__()
        self.busy = 1
        self.pages = [self._page(n, *file) for n, file in enumerate(files)]
        for page in self.pages:
            if page["title"] == f"File:{lies}":
                page["imageinfo"][0]["sha1"] = "0" * 40

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/robots.txt" and asked.host.startswith("upload."):
            return 404, {}, b""
        if asked.path != "/w/api.php":
            return super().answer(asked)
        if "@" not in asked.agent:
            return 403, {}, b"Please set a user-agent and respect our robot policy."
        wanted = {"action": "query", "format": "json", "formatversion": "2", "maxlag": "5",
                  "generator": "categorymembers", "gcmtype": "file"}  # fmt: skip
        assert wanted.items() <= asked.query.items(), asked.query
        if self.busy:
            self.busy -= 1
            error = {"code": "maxlag", "info": "Waiting for 10.64.16.7: 5.4 seconds lagged."}
            more = {"Retry-After": "0", "X-Database-Lag": "5", "MediaWiki-API-Error": "maxlag"}
            return as_json({"error": error}, **more)
        assert set(asked.query["iiprop"].split("|")) >= {"url", "sha1", "mime", "extmetadata"}
        first = int(asked.query.get("gcmcontinue", "file|0").split("|")[1])
        said: dict[str, Any] = {"query": {"pages": self.pages[first : first + 2]}}
        if first + 2 < len(self.pages):
            said["continue"] = {"gcmcontinue": f"file|{first + 2}", "continue": "gcmcontinue||"}
        else:
            said["batchcomplete"] = True
        return as_json(said)

    def _page(self, n: int, name: str, license: str) -> dict[str, Any]:
        path = f"/wikipedia/commons/a/a{n}/{quote(name.replace(' ', '_'))}"
        self.files[path] = data = jpeg(500 + n)
        words = {
            "LicenseShortName": license, "LicenseUrl": self.URLS.get(license, ""),
            "Artist": '<a href="//commons.wikimedia.org/wiki/User:Ann" title="User:Ann">Ann</a>',
            "ImageDescription": "A plan of <b>caves</b> &amp; halls",
            "DateTimeOriginal": f"2019-03-{n + 1:02d} 10:00:00", "UsageTerms": license,
        }  # fmt: skip
        return {
            "pageid": 7000 + n, "ns": 6, "title": f"File:{name}", "imagerepository": "local",
            "imageinfo": [{
                "size": len(data), "width": 64, "height": 64, "mime": "image/jpeg",
                "url": f"https://upload.wikimedia.org{path}",
                "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{name}",
                "sha1": hashlib.sha1(data).hexdigest(),
                "extmetadata": {
                    k: {"value": v, "source": "commons-desc-page"} for k, v in words.items() if v
                },
            }],
        }  # fmt: skip
