"""Nothing a site says makes us connect where we must not: a canary listens, and hears nothing."""

import socket
import ssl
import threading
from contextlib import suppress

import pytest
from web_tools import PUBLIC, Box, served, source, web

from mapmaker.scrape import pipe
from mapmaker.scrape.answer import Refused
from mapmaker.scrape.guard import is_public
from mapmaker.scrape.links import read_link

GOOD = "maps.example"
ATTACKS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0x0.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://loopback.example:{port}/",
    "http://maps.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@maps.example/",
    "http://127.0.0.1:{port}\\@maps.example/",
    "http://127.0.0.1:{port}/leaving.asp?url=http://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http:/\\127.0.0.1:{port}/",
    "\\\\127.0.0.1:{port}\\x",
    "https://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "jar:http://127.0.0.1:{port}/!/",
    "data:image/png;base64,AAAA",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
]
# What a card would have to name as its host for the address to be asked for at all.
HOSTS = [
    "127.0.0.1", "localhost", "localhost.", "127.0.0.1.", "127.1", "127.0.1", "2130706433",
    "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "0177.0x0.0.1", "127.255.255.254",
    "0", "0.0.0.0", "::1", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1",
    "①②⑦.⓪.⓪.①", "１２７.0.0.1", "loopback.example", "169.254.169.254", "10.0.0.1",
]  # fmt: skip


class Canary:
    """Listens on loopback, IPv4 and IPv6, and counts who comes."""

    def __enter__(self):
        self.count = 0
        self.sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self.sockets[0].getsockname()[1]
        if socket.has_ipv6:
            six = socket.create_server(("::1", self.port), family=socket.AF_INET6)
            self.sockets.append(six)
        for each in self.sockets:
            threading.Thread(target=self._listen, args=[each], daemon=True).start()
        return self

    def _listen(self, listening: socket.socket) -> None:
        while True:
            try:
                listening.accept()[0].close()
            except OSError:
                return
            self.count += 1

    def __exit__(self, *about) -> None:
        for each in self.sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture(scope="module")
def canary():
    with Canary() as listening:
        with socket.create_connection(("127.0.0.1", listening.port)):
            pass
        while listening.count == 0:
            pass
        listening.count = 0
        yield listening


def boxed(server) -> Box:
    return Box(server, maps_example=[[PUBLIC]], loopback_example=[["127.0.0.1"]])


def with_ports(port: int) -> list[str]:
    """Return every host of HOSTS as a card writes it that wants that very port."""
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in HOSTS]


@pytest.mark.parametrize("url", ATTACKS)
def test_no_redirect_refresh_or_link_leads_to_the_canary(canary, url, tmp_path):
    """Each address in three places, on a site whose card names every host there is."""
    url = url.format(port=canary.port)

    def answer(reply, tries):
        if reply.path == "/refresh":
            reply.say(200, f'<META HTTP-EQUIV=refresh CONTENT="0;URL={url}">'.encode())
        else:
            reply.say(302, b"", {"Location": url.encode("utf-8").decode("latin-1")})

    with served(answer) as server:
        card = source(
            GOOD, *HOSTS, *with_ports(canary.port), wrapper_path="/leaving.asp", follow=["^/"]
        )
        net = web(card, boxed(server))
        with suppress(Refused):  # a few of them lead back to the site itself
            net.page(f"http://{GOOD}/refresh")
        with pytest.raises(Refused):
            net.page(f"http://{GOOD}/redirect")
        with pytest.raises(Refused):
            net.file(f"http://{GOOD}/redirect.jpg", tmp_path / "x.part")
        for href in (url, f"/leaving.asp?url={url}"):
            link = read_link(card, f"http://{GOOD}/", href)
            if link is not None and link.refusal is None:
                with pytest.raises(Refused):
                    net.file(link.url, tmp_path / "y.part")

    assert canary.count == 0
    assert not [p for p in tmp_path.iterdir() if b"root:" in p.read_bytes()]


@pytest.mark.parametrize("host", HOSTS)
def test_a_card_that_names_a_private_host_reaches_nothing(canary, host, tmp_path):
    """Not on the usual ports nor on its own: the address decides, not the way it is written."""
    name = f"[{host}]" if ":" in host else host
    with served(lambda reply, tries: reply.say(200, b"x")) as server:
        internet = boxed(server)
        net = web(source(host, *with_ports(canary.port)), internet)
        for url in (f"http://{name}/", f"https://{name}/", f"http://{name}:{canary.port}/"):
            with pytest.raises(Refused) as refused:
                net.file(url, tmp_path / "x.part")
            assert refused.value.reason in ("unsafe-link", "unreachable")

    assert internet.dialled == [] and canary.count == 0


def test_a_name_that_changes_its_mind_is_judged_at_every_connection(canary, tmp_path):
    """Rebinding: the connection goes to the checked address, and a second answer is checked too."""
    with served(lambda reply, tries: reply.say(200, b"x", {"Connection": "close"})) as server:
        answers = [[PUBLIC], ["127.0.0.1"]]
        internet = Box(server, maps_example=answers)
        net = web(source(GOOD), internet)
        net.file(f"http://{GOOD}/first.jpg", tmp_path / "x.part")
        before = list(internet.dialled)
        with pytest.raises(Refused, match="unsafe-link"):
            net.file(f"http://{GOOD}/second.jpg", tmp_path / "y.part")

    assert {address for address, _ in before} == {PUBLIC}
    assert internet.dialled == before
    assert len(internet.resolved) == len(before) + 1
    assert canary.count == 0


def test_one_private_address_among_public_ones_is_one_too_many(tmp_path):
    """A name with a public and a private address is not connected to at all."""
    with served(lambda reply, tries: reply.say(200, b"x")) as server:
        internet = Box(server, maps_example=[[PUBLIC, "192.168.1.1"]])
        with pytest.raises(Refused, match="unsafe-link"):
            web(source(GOOD), internet).page(f"http://{GOOD}/")

    assert internet.dialled == []


def test_a_private_host_is_asked_only_when_a_person_allows_it(tmp_path):
    """--allow-host 127.0.0.1:PORT opens that host and port, and no other."""
    with served(lambda reply, tries: reply.say(200, b"here")) as server:
        port = server.server_address[1]
        card = source(f"127.0.0.1:{port}", "localhost")
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(Refused, match="unsafe-link"):
            web(card).page(url)
        asked = len(server.log.requests)

        allowed = web(card, allow_host=f"127.0.0.1:{port}")
        body, _ = allowed.page(url)
        with pytest.raises(Refused, match="unsafe-link"):
            allowed.page("http://localhost/")

    assert asked == 0
    assert body == b"here"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True), ("64:ff9b::5db8:d70e", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.0.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("192.0.0.1", False), ("192.0.2.1", False), ("198.18.0.1", False), ("224.0.0.1", False),
        ("240.0.0.1", False), ("255.255.255.255", False), ("::", False), ("::1", False),
        ("::ffff:10.0.0.1", False), ("::10.0.0.1", False), ("64:ff9b::a00:1", False),
        ("64:ff9b:1::a00:1", False), ("2002:a00:1::", False), ("2002:5db8:d70e::", False),
        ("2001::1", False), ("2001:db8::1", False), ("fc00::1", False), ("fd12::1", False),
        ("fe80::1%eth0", False), ("fec0::1", False), ("ff02::1", False), ("maps.example", False),
        ("", False),
    ],
)  # fmt: skip
def test_public_addresses_are_those_the_internet_gives_out(address, public):
    """Also when one kind of address hides in another."""
    assert is_public(address) is public


CERTIFICATE = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIJFdTSrjW9Ssuw1W1ynl5ouaGem5mL+CWteOWrcJrY8PoAoGCCqGSM49
AwEHoUQDQgAEFVuSbiAQTDoAQ+UFhD+vQxV4qtXNCLu+ASH8+8GBCJ0xkwFZ+Dze
cBI8zlEctcfJqQghC1xwvPib0R5rX0IN+w==
-----END EC PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIUM2Y9z2K0ZxzwhXxeWl6A2ZKfBBIwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMbWFwcy5leGFtcGxlMCAXDTI2MTEzMDIyMzgxNFoYDzIxMjYx
MTA2MjIzODE0WjAXMRUwEwYDVQQDDAxtYXBzLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQVW5JuIBBMOgBD5QWEP69DFXiq1c0Iu74BIfz7wYEInTGT
AVn4PN5wEjzOURy1x8mpCCELXHC8+JvRHmtfQg37o2wwajAdBgNVHQ4EFgQUMldi
NK54zv8+Xv7xQEVMD4v41SYwHwYDVR0jBBgwFoAUMldiNK54zv8+Xv7xQEVMD4v4
1SYwFwYDVR0RBBAwDoIMbWFwcy5leGFtcGxlMA8GA1UdEwEB/wQFMAMBAf8wCgYI
KoZIzj0EAwIDSAAwRQIgHLxFqGWRkiWOx2FGlfXs8Ipv0nSuFuk/9a4OZds9eVkC
IQD7Dqa6vYkEU0R8/K2mbxuz4m6WGMtiHFPqdCU5i1fhcw==
-----END CERTIFICATE-----
"""  # for maps.example, until 2126


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    path = tmp_path / "maps.example.pem"
    path.write_text(CERTIFICATE)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    pipe._tls.cache_clear()
    yield path
    pipe._tls.cache_clear()


@pytest.mark.parametrize("host", [GOOD, "other.example"])
def test_tls_checks_the_name_though_the_connection_goes_to_an_address(certificate, host, tmp_path):
    """The right certificate at the checked address serves its own name, and no other name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    plain = listening.accept()[0]
                except OSError:
                    return
                with plain:
                    try:
                        with context.wrap_socket(plain, server_side=True) as safe:
                            asked.append(safe.recv(4096))
                            safe.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
                            safe.recv(1)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        internet = Box.__new__(Box)
        internet.port = listening.getsockname()[1]
        internet.addresses = {GOOD: [[PUBLIC]], "other.example": [[PUBLIC]]}
        internet.resolved, internet.dialled = [], []
        net = web(source(host), internet, ignore_robots=True)
        if host == GOOD:
            body, _ = net.page(f"https://{host}/")
            assert body == b"safe" and asked
        else:
            with pytest.raises(Refused):
                net.page(f"https://{host}/")
            assert asked == []
        listening.shutdown(socket.SHUT_RDWR)
        net.close()
