"""The replica's server: its line has a speed, its log can be counted on, its parts are parts."""

import socket
import threading
import time

import pytest
import requests

from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.replica.live import NEWER, OLD

HOST = {"Host": HOSTS[0]}


@pytest.fixture(scope="module")
def archive():
    with Replica(maps=4, side_px=64, drawn=False) as replica:
        yield replica


def get(archive, name, **headers):
    """Ask for the file of an oddity."""
    url = archive.url + archive.truth.oddities[name]
    return requests.get(url, headers={**HOST, **headers}, timeout=5)


def test_the_line_has_a_speed_for_each_connection():
    """300 kB at 1 MB/s take 0.3 s on one connection, and on two at the same time no longer."""
    with Replica(maps=2, faults=False, drawn=False, bytes_per_s=1e6, latency_s=0.05) as archive:
        paths = [f.path for _, f in archive.truth.files() if f.declared_bytes][:2]
        size = archive.draw() and len(archive.bytes_of(archive.files[paths[0]]))
        began_s = time.monotonic()
        threads = [
            threading.Thread(target=requests.get, args=[archive.url + p], kwargs={"headers": HOST})
            for p in paths
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - began_s
        # The last byte is here before the server has noted that it sent it.
        while any(r.ended_s is None for r in archive.requests) and time.monotonic() < began_s + 10:
            time.sleep(0.01)

        assert took_s >= 0.05 + size / 1e6
        assert all(r.ended_s - r.at_s >= 0.05 + size / 1e6 - 0.001 for r in archive.requests)
        assert max(r.in_flight for r in archive.requests) == 2 and took_s < 2 * size / 1e6


def test_the_log_says_when_what_and_on_which_connection(archive):
    """Begin and end, status, range and bytes of each request; one number for one connection."""
    archive.requests.clear()
    path = archive.truth.oddities["cmyk"]
    with requests.Session() as session:
        for part in ("bytes=10-19", "bytes=0-"):
            session.get(archive.url + path, headers={**HOST, "Range": part})
    requests.get(archive.url + path, headers=HOST, timeout=5)
    time.sleep(0.05)

    one, two, three = archive.requests
    assert (one.status, one.range, one.start_byte, one.sent_bytes) == (206, "bytes=10-19", 10, 10)
    assert one.connection == two.connection != three.connection
    assert one.at_s <= one.ended_s <= two.at_s <= two.ended_s <= three.at_s
    assert two.sent_bytes == three.sent_bytes == len(archive.bytes_of(archive.files[path]))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Range": "bytes=100-"}, 206),
        ({"Range": "bytes=-100"}, 206),
        ({"Range": "bytes=100-", "If-Range": "ETAG"}, 206),
        ({"Range": "bytes=100-", "If-Range": OLD}, 206),
        ({"Range": "bytes=100-", "If-Range": NEWER}, 200),
        ({"Range": "bytes=100-", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=100-", "If-Range": "W/ETAG"}, 200),
        ({"Range": "bytes=9999999-"}, 416),
        ({"Range": "lines=1-2"}, 200),
        ({"If-None-Match": "ETAG"}, 304),
        ({"If-None-Match": "W/ETAG"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": OLD}, 304),
        ({"If-Modified-Since": "Fri, 31 Dec 1999 23:59:59 GMT"}, 200),
    ],
)
def test_good_files_know_ranges_and_validators(archive, headers, status):
    """A part when it is asked for on the right condition, 304 for what the client has."""
    whole = get(archive, "cmyk")
    known = {k: v.replace("ETAG", whole.headers["ETag"]) for k, v in headers.items()}

    answer = get(archive, "cmyk", **known)

    assert answer.status_code == status
    if status == 206:
        start = len(whole.content) - 100 if "-100" in headers["Range"] else 100
        assert answer.content == whole.content[start:]
        total = len(whole.content)
        assert answer.headers["Content-Range"] == f"bytes {start}-{total - 1}/{total}"
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole.content)}"


def test_pages_have_a_validator(archive):
    """The index answers 304 to who has it."""
    url = f"{archive.url}/default.asp?x=dnd/mwa/archiveall"
    known = requests.get(url, headers=HOST, timeout=5).headers["ETag"]

    assert requests.get(url, headers={**HOST, "If-None-Match": known}).status_code == 304


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("cut-once", (206, 200)),
        ("cut-no-range", (200, 200)),
        ("cut-weak-etag", (206, 200)),
        ("cut-misaligned", (206, 200)),
        ("cut-wrong-total", (206, 200)),
        ("cut-416", (416, 200)),
        ("cut-changed", (200, 200)),
        ("cut-changed-unsaid", (206, 200)),
    ],
)
def test_what_is_cut_can_be_had_whole_and_resumed_only_with_care(archive, name, statuses):
    """The first answer is half a file; a resumed one is right only where its parts fit."""
    archive.seen.clear()
    path = archive.truth.oddities[name]
    whole = archive.bytes_of(archive.files[path])
    with requests.get(archive.url + path, headers=HOST, stream=True, timeout=5) as first:
        half = first.raw.read(len(whole) // 2)

    wanted = {"Range": f"bytes={len(half)}-", "If-Range": first.headers["ETag"]}
    part = get(archive, name, **wanted)
    again = get(archive, name)

    assert (part.status_code, again.status_code) == statuses
    assert again.content == whole
    assert (half + part.content == whole) == (name in ("cut-once", "cut-wrong-total"))
    if name.startswith("cut-changed"):
        assert first.headers["ETag"] != again.headers["ETag"]


def test_tls_is_refused(archive):
    """As on the old host: who says hello in TLS is hung up on, at once."""
    port = int(archive.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"\x16\x03\x01\x00\x05hello")

        assert line.recv(1) == b""


def test_any_file_can_be_told_to_misbehave(archive):
    """`misbehave` changes how one file is served, and what a scrape must say of it."""
    path = archive.truth.oddities["grey"]

    archive.misbehave(path, "404", "not-found")

    assert get(archive, "grey").status_code == 404
    assert archive.expected_gaps()[path] == "not-found"
