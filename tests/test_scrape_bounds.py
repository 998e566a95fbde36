"""Whatever a server sends, however slowly: bytes, time, disk and memory keep their limits."""

import os
import random
import subprocess
import sys
import time
import zlib

import pytest
from web_tools import served, source, web

from mapmaker.errors import MissingPart
from mapmaker.scrape.answer import Refused
from mapmaker.scrape.parts import is_unfinished

LIMIT = 300_000
BODY = random.Random(1).randbytes(200_000)


def packed(data: bytes, kind: str) -> bytes:
    bits = {"gzip": 31, "x-gzip": 31, "deflate": 15, "raw deflate": -15}[kind]
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return packer.compress(data) + packer.flush()


def bomb(kind: str) -> bytes:
    return packed(b"\0" * 60_000_000, kind)


def fetch(answer, part, **options):
    """Return the answer, or the Refused, and the server."""
    with served(answer) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        known = {"allow_host": host, "max_file_bytes": LIMIT, "max_page_bytes": LIMIT, "tries": 1}
        net = web(source(host), **{**known, **options})
        try:
            result = net.file(f"http://{host}/x.jpg", part)
        except Refused as refused:
            result = refused
        for _ in range(100):  # the server notices late that nobody listens
            if server.log.in_flight == 0:
                break
            time.sleep(0.01)
        net.close()
        return result, server, net


def endless(length, chunked=False):
    def answer(reply, tries):
        reply.send_response(200)
        if chunked:
            reply.send_header("Transfer-Encoding", "chunked")
        elif length:
            reply.send_header("Content-Length", str(length))
        reply.end_headers()
        piece = b"\xff\xd8" + b"\0" * 16_382
        try:
            for _ in range(2_000):
                reply.send(b"4000\r\n" + piece + b"\r\n" if chunked else piece)
        except OSError:
            pass
        reply.close_connection = True

    return answer


@pytest.mark.parametrize(
    ("length", "chunked"), [(None, False), (None, True), (LIMIT - 1, False)],
    ids=["no length", "chunked", "a length that lies"],
)  # fmt: skip
def test_an_endless_body_ends_at_the_limit(tmp_path, length, chunked):
    """Not one byte past it is written; a length is believed, and no more is read than it says."""
    part = tmp_path / "x.part"

    result, _, net = fetch(endless(length, chunked), part)

    if length:
        assert result.bytes == length
    else:
        assert isinstance(result, Refused) and result.reason == "too-large"
    assert part.stat().st_size <= LIMIT
    assert net.allowance.spent <= LIMIT


@pytest.mark.parametrize(
    "when",
    ["soon", "Fri, 1 Jan 99999999999999 00:00:00 GMT", "Fri, 99999999999999999999 Jan 2016",
     "Fri, 1 Jan 2016 00:00:00 +99999999999999", "Fri, 1 Jan 2016 00:00:00 -0000"],
)  # fmt: skip
def test_a_date_that_is_none_costs_nothing(tmp_path, when):
    """Date and Last-Modified may say what they like: the file is there."""
    part = tmp_path / "x.part"
    answer, *_ = fetch(lambda reply, tries: reply.say_file(BODY, {"Last-Modified": when}), part)

    assert answer.bytes == len(BODY) and part.read_bytes() == BODY


def test_a_length_above_the_limit_is_refused_before_a_byte_is_read(tmp_path):
    """The header alone decides."""
    result, _, net = fetch(endless(10**9), tmp_path / "x.part")

    assert result.reason == "too-large" and net.allowance.spent == 0


BOMBS = {
    "gzip": ("gzip", bomb("gzip")),
    "x-gzip": ("X-GZIP", bomb("x-gzip")),
    "deflate": ("deflate", bomb("deflate")),
    "raw deflate": ("deflate", bomb("raw deflate")),
    "gzip in gzip": ("gzip, gzip", packed(bomb("gzip"), "gzip")),
    "many gzips in a row": ("gzip", packed(b"\0" * 100_000, "gzip") * 200),
}


@pytest.mark.parametrize("length", [True, False], ids=["length", "no length"])
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("is_page", [False, True], ids=["file", "page"])
def test_a_bomb_goes_off_within_64_kib_of_the_limit(tmp_path, name, length, is_page):
    """60 kB that unpack to 60 MB: what is unpacked ends at the limit, on disk or in memory."""
    coding, data = BOMBS[name]

    def answer(reply, tries):
        headers = {"Content-Encoding": coding}
        if length:
            reply.say(200, data, headers)
        else:
            reply.start(200, None, headers)
            reply.send(data)
            reply.hang_up()

    part = tmp_path / "x.part"
    if not is_page:
        result, _, _ = fetch(answer, part)
        assert result.reason == "too-large"
        assert part.stat().st_size <= LIMIT + 65_536
        return
    with served(answer) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        with pytest.raises(Refused, match="too-large"):
            web(source(host), allow_host=host, max_page_bytes=LIMIT).page(f"http://{host}/")


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br", "gzip, gzip, gzip", "?"])
def test_a_coding_we_do_not_know_is_refused_before_a_byte_is_read(tmp_path, coding):
    """br and zstd were not asked for, and nothing here unpacks them."""

    def answer(reply, tries):
        reply.say(200, BODY, {"Content-Encoding": coding})

    result, _, net = fetch(answer, tmp_path / "x.part")

    assert result.reason == "strange-encoding" and net.allowance.spent == 0


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", packed(BODY, "gzip")),
        ("deflate", packed(BODY, "deflate")),
        ("deflate", packed(BODY, "raw deflate")),
        ("gzip", packed(BODY[:70_000], "gzip") + packed(BODY[70_000:], "gzip")),
        ("gzip, gzip", packed(BODY, "gzip")),  # named twice, packed once: web.archive.org
        (", gzip", packed(BODY, "gzip")),
        ("gzip", BODY),  # named and not done
        ("identity", BODY),
        ("gzip", packed(BODY, "gzip") + b"rubbish after the end"),
    ],
)
def test_what_was_packed_unasked_comes_out_whole(tmp_path, coding, data):
    """Old servers and archives pack what nobody asked to be packed, or say so and do not."""
    part = tmp_path / "x.part"

    fetch(lambda r, n: r.say(200, data, {"Content-Encoding": coding}), part)

    assert part.read_bytes() == BODY
    assert not is_unfinished(part)  # half of a packed body is no beginning of the file


@pytest.mark.parametrize("cut", [1, 20, 5_000, 100_000])
def test_a_packed_body_that_ends_early_is_cut_short(tmp_path, cut):
    """The end of the connection is not the end of the file."""
    data = packed(BODY, "gzip")[:-cut]

    def answer(reply, tries):
        reply.start(200, None, {"Content-Encoding": "gzip"})
        reply.send(data)
        reply.hang_up()

    result, _, _ = fetch(answer, tmp_path / "x.part")

    assert isinstance(result, Refused) and result.reason == "cut-short"


def test_a_packed_body_that_is_broken_is_corrupt(tmp_path):
    """Bytes changed on the way are found by the packing's own sums."""
    data = bytearray(packed(BODY, "gzip"))
    data[50_000] ^= 255

    result, _, _ = fetch(
        lambda r, n: r.say(200, bytes(data), {"Content-Encoding": "gzip"}), tmp_path / "x.part"
    )

    assert isinstance(result, Refused) and result.reason == "corrupt"


def dribble(where):
    """Send a byte every 20 ms: of the status line, of the headers, or of the body."""

    def answer(reply, tries):
        start = {"status": b"", "headers": b"HTTP/1.1 200 OK\r\nX-Long: "}.get(
            where, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        )
        reply.wfile.write(start)
        for _ in range(300):
            try:
                reply.wfile.write(b"H")
                reply.wfile.flush()
            except OSError:
                return
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize("where", ["status", "headers", "body"])
@pytest.mark.parametrize("limit", [{"max_file_s": 0.5}, {"max_file_s": 60.0, "window_s": 0.4}],
                         ids=["in all", "per second"])  # fmt: skip
def test_a_server_that_dribbles_is_hung_up_on(tmp_path, where, limit):
    """Each byte comes in time, and yet it ends: by the time in all, or by the bytes in it."""
    began_s = time.monotonic()

    result, _, _ = fetch(dribble(where), tmp_path / "x.part", min_bytes_per_s=1000.0, **limit)

    assert isinstance(result, Refused) and result.reason == "unreachable" and result.again
    assert 0.3 < time.monotonic() - began_s < 2


def test_a_server_that_falls_silent_is_hung_up_on(tmp_path):
    """Half a body and then nothing."""

    def answer(reply, tries):
        reply.start(200, 100_000, {})
        reply.send(b"x" * 50_000)
        time.sleep(1.5)
        reply.close_connection = True

    began_s = time.monotonic()
    result, _, _ = fetch(answer, tmp_path / "x.part", timeout_s=0.4)

    assert isinstance(result, Refused) and result.again
    assert time.monotonic() - began_s < 3


def test_a_slow_line_that_keeps_its_pace_is_not_hung_up_on(tmp_path):
    """Slow is not too slow."""

    def answer(reply, tries):
        reply.start(200, 4_000, {})
        for _ in range(8):
            reply.send(b"x" * 500)
            time.sleep(0.1)

    result, _, _ = fetch(answer, tmp_path / "x.part", min_bytes_per_s=1000.0, window_s=0.3)

    assert result.bytes == 4_000


def test_a_slow_line_is_read_by_the_pieceful(tmp_path, monkeypatch):
    """200 kB in packets of 4 kB: a handful of reads, not fifty; nobody is woken for each."""
    from mapmaker.scrape.pipe import _Patient

    reads, readinto = [], _Patient.readinto
    monkeypatch.setattr(
        _Patient, "readinto", lambda self, buffer: reads.append(1) or readinto(self, buffer)
    )

    def answer(reply, tries):
        reply.start(200, len(BODY))
        for at in range(0, len(BODY), 4_000):
            reply.send(BODY[at : at + 4_000])
            time.sleep(0.002)

    result, _, _ = fetch(answer, tmp_path / "x.part")

    assert result.bytes == len(BODY) and (tmp_path / "x.part").read_bytes() == BODY
    assert len(reads) <= 12


def test_a_trickle_is_taken_as_it_comes(tmp_path):
    """Ten bytes every tenth of a second are little, but they are no silence."""

    def answer(reply, tries):
        reply.start(200, 120)
        for at in range(0, 120, 10):
            reply.send(BODY[at : at + 10])
            time.sleep(0.1)

    result, _, _ = fetch(answer, tmp_path / "x.part", timeout_s=0.6)

    assert result.bytes == 120


def test_a_run_ends_at_the_bytes_it_may_fetch(workspace, fresh):
    """--max-total: exit code 5 and a remedy, what came is listed, and the next run goes on."""
    from scrape_tools import planted, run

    with pytest.raises(MissingPart, match="--max-total") as error:
        run(workspace, fresh, max_total="60kB", jobs=1)
    listed = planted(workspace)
    run(workspace, fresh)

    assert error.value.exit_code == 5 and error.value.hint
    assert 0 < len(listed) < len(planted(workspace))
    assert planted(workspace) == fresh.expected()


def test_the_disk_is_not_filled_to_its_last_byte(workspace, fresh):
    """A floor under the free space: exit code 5 before a picture is asked for."""
    from scrape_tools import NAME, run

    with pytest.raises(MissingPart, match="to stay so") as error:
        run(workspace, fresh, min_free_bytes=10**18)

    assert error.value.exit_code == 5
    assert workspace.dataset(NAME).rows() == []


MEASURE = """
import resource, sys
from pathlib import Path
from web_tools import source, web
host, part = sys.argv[1:]
net = web(source(host), allow_host=host, max_file_bytes=10**9)
peaks = []
for name in ("small", "large"):
    print(net.file(f"http://{host}/{name}", Path(part)).bytes)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux alone")
def test_memory_does_not_grow_with_the_file(tmp_path):
    """A file of 200 MB needs less than 10 MB more than one of 1 MB."""
    piece = os.urandom(1_000_000)

    def answer(reply, tries):
        count = 200 if reply.path == "/large" else 1
        reply.start(200, count * len(piece), {"ETag": '"x"'})
        for _ in range(count):
            reply.send(piece)

    with served(answer) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        command = [sys.executable, "-c", MEASURE, host, str(tmp_path / "x.part")]
        paths = os.pathsep.join([os.path.dirname(__file__), *sys.path])  # noqa: PTH120
        done = subprocess.run(
            command, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip

    small, before_kb, large, after_kb = map(int, done.stdout.split())
    assert (small, large) == (1_000_000, 200_000_000)
    assert after_kb - before_kb < 10_000
