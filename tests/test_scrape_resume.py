"""Going on with a file that stopped half way: never a wrong file, and no byte fetched in vain."""

import hashlib
import json
import random
import subprocess
import sys
import time
from email.utils import formatdate

import pytest
from web_tools import served, source, web

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.parts import OVERLAP

BODY = random.Random(1).randbytes(700_000)
OTHER = random.Random(2).randbytes(700_000)
MIXED = BODY[:400_000] + OTHER[400_000:]  # what is here fits, what comes after it does not
ETAG = {"ETag": '"one"'}
# Not a minute before any answer of this run, however long after this line it is given.
FRESH = {"Last-Modified": formatdate(time.time() + 86_400, usegmt=True)}
OLD = {"Last-Modified": formatdate(1_000_000_000, usegmt=True)}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def cut_at(reply, body, count, headers) -> None:
    """Promise the whole, send `count` bytes of it and hang up."""
    reply.start(200, len(body), headers)
    reply.send(body[:count])
    reply.hang_up()


def address(server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/map.jpg"


def near(server, **options):
    host = f"127.0.0.1:{server.server_address[1]}"
    return web(source(host), allow_host=host, **options)


def stopped(server, part, headers=ETAG, body=BODY, count=400_000) -> None:
    """Leave what a run leaves that ended after `count` bytes."""
    now, server.answer = server.answer, lambda reply, tries: cut_at(reply, body, count, headers)
    with pytest.raises(Refused):
        near(server, tries=1, ignore_robots=True).file(address(server), part)
    server.answer = now
    server.log.requests.clear()


def fetched(server, part, **options) -> list:
    """Fetch the file in a new run, check it, and return the requests for it."""
    answer = near(server, **options).file(address(server), part)
    assert part.read_bytes() == BODY
    assert answer.sha256 == sha(BODY) and answer.bytes == len(BODY)
    return [r for r in server.log.requests if r.path == "/map.jpg"]


@pytest.mark.parametrize("marks", [ETAG, OLD, {**ETAG, **OLD}], ids=["etag", "date", "both"])
def test_a_new_run_asks_for_the_rest_and_for_64_kib_again(tmp_path, marks):
    """Range and If-Range with the strong ETag, else the date; the bytes are whole."""
    part = tmp_path / "x.part"
    with served(lambda reply, tries: reply.say_file(BODY, marks)) as server:
        stopped(server, part, marks)
        (request,) = fetched(server, part)

    assert request.range == f"bytes={400_000 - OVERLAP}-"
    assert request.if_range == marks.get("ETag", OLD["Last-Modified"])
    assert request.sent_bytes == len(BODY) - 400_000 + OVERLAP


def test_a_broken_connection_goes_on_within_the_run(tmp_path):
    """The second try of the same run asks for the rest only."""

    def answer(reply, tries):
        cut_at(reply, BODY, 300_000, ETAG) if tries == 1 else reply.say_file(BODY, ETAG)

    with served(answer) as server:
        first, second = fetched(server, tmp_path / "x.part")

    assert first.range == "" and second.start_byte == 300_000 - OVERLAP


def test_a_part_that_is_complete_already_is_proven_by_its_end(tmp_path):
    """Killed between the last byte and the name: 64 KiB show that nothing has changed."""
    part = tmp_path / "x.part"
    with served(lambda reply, tries: reply.say_file(BODY, ETAG)) as server:
        stopped(server, part)
        part.write_bytes(BODY)
        (request,) = fetched(server, part)

    assert request.sent_bytes == OVERLAP


def test_a_note_that_was_torn_while_its_end_was_told_still_tells_the_beginning(tmp_path):
    """Killed while "complete" was being written down: the end is asked for, not the whole."""
    part = tmp_path / "x.part"
    with served(good) as server:
        near(server).file(address(server), part)
        note = part.with_name("x.part.json")
        note.write_bytes(note.read_bytes()[:-20])
        server.log.requests.clear()
        (request,) = fetched(server, part)
        whole_again = near(server).file(address(server), part)

    assert request.sent_bytes == OVERLAP
    assert whole_again.sha256 == sha(BODY) and len(server.log.requests) == 2  # robots.txt, the end


@pytest.mark.parametrize("how", ["as it was", "a byte more", "a byte changed", "an old note"])
def test_a_complete_part_is_taken_by_length_and_hash_alone(tmp_path, how):
    """Killed while the picture was being checked: nothing is asked for, unless a byte differs."""
    part = tmp_path / "x.part"
    with served(good) as server:
        net = near(server)
        first = net.file(address(server), part)
        server.log.requests.clear()
        data = bytearray(BODY)
        if how == "an old note":
            note = part.with_name("x.part.json")
            note.write_text(note.read_text().replace('"attempts"', '"efforts"'))
        elif how != "as it was":
            data = data + b"x" if how == "a byte more" else data[:-1] + bytes([data[-1] ^ 1])
            part.write_bytes(data)
        again = net.file(address(server), part)

    assert again == first and part.read_bytes() == BODY
    assert len(server.log.requests) == (0 if how == "as it was" else 1)


def whole(reply, tries):
    """A server that has never heard of Range."""
    reply.say(200, BODY, ETAG)


def good(reply, tries):
    reply.say_file(BODY, ETAG)


def new_edition(reply, tries):
    reply.say_file(BODY, {"ETag": '"two"'})


def unsaid(reply, tries):
    """A new edition by a server that ignores If-Range, with and without saying so."""
    wanted = reply.wanted_range(len(BODY))
    reply.say_part(BODY, wanted, {}) if wanted else reply.say(200, BODY)


def weak(reply, tries):
    wanted = reply.wanted_range(len(BODY))
    marks = {"ETag": 'W/"one"', **OLD}
    reply.say_part(MIXED, wanted, marks) if wanted else reply.say(200, BODY, marks)


def no_ranges(reply, tries):
    """The old server says it has no ranges; asked for one all the same it sends another file's."""
    wanted = reply.wanted_range(len(BODY))
    marks = {**ETAG, "Accept-Ranges": "none"}
    reply.say_part(MIXED, wanted, marks) if wanted else reply.say(200, BODY, marks)


def claims(claim, sent=MIXED):
    def answer(reply, tries):
        wanted = reply.wanted_range(len(BODY))
        if wanted is None:
            reply.say(200, BODY, ETAG)
        else:
            said = claim.format(first=wanted.start, last=wanted.stop - 1, total=len(BODY))
            reply.say_part(sent, wanted, ETAG, said)

    return answer


def packed(reply, tries):
    """A part that is packed is a part of something else."""
    wanted = reply.wanted_range(len(BODY))
    if wanted:
        reply.say_part(MIXED, wanted, {**ETAG, "Content-Encoding": "br"})
    else:
        reply.say(200, BODY, ETAG)


def unsatisfiable(reply, tries):
    if reply.headers.get("Range"):
        reply.say(416, b"", {"Content-Range": f"bytes */{len(BODY)}"})
    else:
        reply.say(200, BODY, ETAG)


def fresh_date(reply, tries):
    """A date that is younger than a minute tells no edition from the next."""
    wanted = reply.wanted_range(len(BODY))
    marks = FRESH
    reply.say_part(MIXED, wanted, marks) if wanted else reply.say(200, BODY, marks)


def early(reply, tries):
    """A part that begins before what was asked for, and says so."""
    wanted = reply.wanted_range(len(BODY))
    if wanted:
        reply.say_part(BODY, range(wanted.start - 512, wanted.stop), ETAG)
    else:
        reply.say(200, BODY, ETAG)


ODD = [
    ("no Range here", whole, {}),
    ("changed, said", new_edition, {"body": OTHER}),
    ("changed, unsaid", unsaid, {"body": OTHER}),
    ("weak ETag", weak, {"headers": {"ETag": 'W/"one"', **OLD}}),
    ("no ranges", no_ranges, {"headers": {**ETAG, "Accept-Ranges": "none"}}),
    ("fresh date", fresh_date, {"headers": FRESH}),
    ("416", unsatisfiable, {}),
    ("begins early", early, {}),
    ("claims another total", claims("bytes {first}-{last}/9999999"), {}),
    ("claims another start", claims("bytes 0-{last}/{total}"), {}),
    ("claims an early end", claims("bytes {first}-{first}/{total}"), {}),
    ("claims no total", claims("bytes {first}-{last}/*"), {}),
    ("claims no bytes", claims("items {first}-{last}/{total}"), {}),
    ("claims nothing", claims("bytes"), {}),
    ("other bytes", claims("bytes {first}-{last}/{total}", OTHER), {}),
    ("packed", packed, {}),
]


@pytest.mark.parametrize(("answer", "left"), [odd[1:] for odd in ODD], ids=[odd[0] for odd in ODD])
def test_no_server_makes_a_wrong_file_of_a_part(tmp_path, answer, left):
    """Whatever it says or keeps to itself: the file is the one it serves now."""
    part = tmp_path / "x.part"
    with served(answer) as server:
        stopped(server, part, **left)
        requests = fetched(server, part)

    assert len(requests) <= 2


def spoil(part, how) -> None:
    note = part.with_name(part.name + ".json")
    about = json.loads(note.read_text())
    if how == "too long":
        part.write_bytes(BODY + b"more")
    elif how == "other end":
        data = bytearray(part.read_bytes())
        data[-1000] ^= 1
        part.write_bytes(data)
    elif how == "zeros at the end":
        part.write_bytes(part.read_bytes()[:-5000] + b"\0" * 5000)
    elif how == "note gone":
        note.unlink()
    elif how == "note torn":
        note.write_text(note.read_text()[:-20])
    elif how == "note of another file":
        note.write_text(json.dumps({**about, "url": about["url"] + "?x"}))
    elif how == "another size":
        note.write_text(json.dumps({**about, "total": 500_000}))
    elif how == "no size":
        note.write_text(json.dumps({**about, "total": "700000"}))
    else:
        note.write_text(how)


SPOILT = [
    "too long", "other end", "zeros at the end", "note gone", "note torn", "another size",
    "note of another file", "no size", "[]", "null", '{"url": 1}', "",
]  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_no_part_or_note_on_the_disk_makes_a_wrong_file(tmp_path, how):
    """Over-long, torn, of another edition: what does not fit is not used."""
    part = tmp_path / "x.part"
    with served(good) as server:
        stopped(server, part)
        spoil(part, how)
        requests = fetched(server, part)

    fits = "end" in how or how == "another size"  # as far as one can see without asking
    assert bool(requests[0].range) == fits
    assert len(requests) == (2 if fits else 1)


def test_a_link_in_place_of_a_part_is_not_followed(tmp_path):
    """Nothing outside the folder is written."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    part = tmp_path / "x.part"
    part.symlink_to(victim)
    with served(good) as server, pytest.raises(OSError, match="symbolic"):
        near(server).file(address(server), part)

    assert victim.read_text() == "mine"


CARD = """
title = "One map"
homepage = "http://127.0.0.1/"
start = ["http://127.0.0.1/"]
hosts = ["127.0.0.1"]
pictures = ['jpg$']
license = "CC0-1.0"
[entry]
head = ['^(?P<title>[A-Z][a-z]+)$']
download = ['(?P<format>JPG)']
"""


def test_a_killed_run_fetches_at_most_64_kib_of_a_file_again(tmp_path):
    """kill -9 in the middle of a large file; the next run asks for the rest, and it is right."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "map.jpg", quality=95)
    data = (tmp_path / "map.jpg").read_bytes()

    def answer(reply, tries):
        if reply.path == "/":
            reply.say(200, b"<h2>Keep</h2><a href='/map.jpg'>JPG</a>")
        else:
            reply.say_file(data, ETAG)

    card = tmp_path / "one.toml"
    card.write_text(CARD)
    with served(answer) as server:
        server.bytes_per_s = 400_000.0
        words = ["--home", tmp_path, "scrape", card, "--via", server.url]
        command = [sys.executable, "-m", "mapmaker", *map(str, words)]
        killed = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        folder = tmp_path / "datasets" / "one"
        while not any(p.stat().st_size > 200_000 for p in folder.glob("parts/*.part")):
            assert killed.poll() is None
            time.sleep(0.01)
        killed.kill()
        killed.wait()
        (part,) = folder.glob("parts/*.part")
        had = part.stat().st_size
        server.log.requests.clear()
        server.bytes_per_s = None
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    (request,) = [r for r in server.log.requests if r.path == "/map.jpg"]
    assert request.sent_bytes <= len(data) - had + OVERLAP
    (picture,) = folder.glob("pictures/**/*.jpg")
    assert picture.read_bytes() == data
    assert not (folder / "parts").exists()
