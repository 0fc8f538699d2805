"""The clients that every request goes through: where they send, and what they take."""

import gzip
import itertools
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from tests.unit.actions.serving import answering, served
from tests.unit.wire.proxies import VARIABLES, name_proxy
from werkzeug import Response

from licet.wire.client import DEADLINE, AnswerRefused, Bounds, ProxyUnusable, make_client


@contextmanager
def listening(address):
    """The port of a server on one address of this machine; skipped where that is not to be had."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_told):
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    try:
        server = Server((address, 0), Handler)
    except OSError as error:
        pytest.skip(str(error))
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def get(url, **options):
    with make_client(timeout_seconds=5.0, **options) as client:
        return client.get(url)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "LOCALHOST"),
        ("127.0.0.1", "localhost."),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.1"),
        ("127.0.0.1", "0x7f000001"),
        ("127.0.0.1", "2130706433"),
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.9.8.7", "127.9.8.7"),
        ("::1", "[::1]"),
        ("::1", "[0:0:0:0:0:0:0:1]"),
    ],
)
def test_this_machine_is_reached_past_proxies(proxy, address, host):
    """However it is spelt, and whichever variables name a proxy."""
    with listening(address) as port:
        assert get(f"http://{host}:{port}/x").json() == {}
    assert proxy.seen == []


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_alone_names_no_proxy_for_this_machine(proxy, variable, monkeypatch):
    """The two spellings of each, for http and for https."""
    name_proxy(monkeypatch, proxy.url, variable)
    with listening("127.0.0.1") as port:
        assert get(f"http://localhost:{port}/x").status_code == 200
        with pytest.raises(httpx2.ConnectError):  # TLS is what fails
            get(f"https://localhost:{port}/x")
    assert proxy.seen == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_other_machines_are_reached_through_proxies(proxy, variable, monkeypatch):
    """What is not for this machine goes the way that the environment says."""
    name_proxy(monkeypatch, proxy.url, variable)
    assert get("http://far.example/x").status_code == 502
    assert proxy.seen == [("GET http://far.example/x HTTP/1.1", None)]


def test_tls_goes_through_a_tunnel(proxy):
    """A proxy sees the name of a host with https, and nothing else."""
    with pytest.raises(httpx2.ProxyError):
        get("https://far.example/x", headers={"Authorization": "Basic hidden"})
    assert proxy.seen == [("CONNECT far.example:443 HTTP/1.1", None)]


@pytest.mark.parametrize("exempt", ["far.invalid", ".invalid", "*"])
def test_hosts_are_exempt_as_the_environment_says(proxy, exempt, monkeypatch):
    """NO_PROXY counts for other machines."""
    monkeypatch.setenv("NO_PROXY", exempt)
    with pytest.raises(httpx2.ConnectError):
        get("http://far.invalid/x")
    assert proxy.seen == []


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:9", "socks4://127.0.0.1:9", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_no_trouble_to_this_machine(url, monkeypatch):
    """It is told to who needs it, with the variables that name it."""
    name_proxy(monkeypatch, url)
    with listening("127.0.0.1") as port:
        assert get(f"http://localhost:{port}/x").status_code == 200
    with pytest.raises(ProxyUnusable, match="ALL_PROXY of the environment cannot be used"):
        get("http://far.example/x")


def test_the_password_of_a_proxy_is_in_no_message(monkeypatch):
    """A proxy's URL may hold one."""
    name_proxy(monkeypatch, "ftp://user:hidden@127.0.0.1:9")
    with pytest.raises(ProxyUnusable) as caught:
        get("http://far.example/x")
    assert "hidden" not in str(caught.value)


def test_a_redirect_is_not_followed(proxy):
    """It is the reader's to follow, one by one."""
    app = answering(Response("", 302, {"Location": "http://far.example/"}))
    with served(app) as url:
        found = get(url)
    assert (found.status_code, str(found.next_request.url)) == (302, "http://far.example/")
    assert proxy.seen == []


def test_an_answer_is_whole():
    """Status, headers, body and the reason that was given."""
    with served(answering(Response("text", "418 short and stout", {"X-A": "b"}))) as url:
        found = get(url)
    assert (found.status_code, found.text, found.headers["x-a"]) == (418, "text", "b")
    assert found.reason_phrase.lower() == "short and stout"
    assert str(found.url).rstrip("/") == url


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_an_answer_without_end_is_left(status):
    """Whatever its status."""
    app = answering(Response(itertools.repeat(b" " * 4096), status))
    with served(app) as url, pytest.raises(AnswerRefused, match="is longer than 9999 bytes"):
        get(url, bounds=Bounds(max_bytes=9999))


def test_an_answer_that_unpacks_is_left():
    """A few bytes may unpack to gigabytes, so nothing packed is asked for, or taken."""
    bomb = Response(gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"})
    app = answering(bomb)
    with served(app) as url, pytest.raises(AnswerRefused, match="is compressed") as caught:
        get(url)
    assert str(caught.value.request.url).startswith(url)


@pytest.mark.parametrize("coding", ["", "identity", "Identity "])
def test_an_answer_that_is_not_packed(coding):
    """Some servers say so."""
    with served(answering(Response("{}", headers={"Content-Encoding": coding}))) as url:
        assert get(url).json() == {}


@pytest.mark.parametrize(
    "exempt", ["::1", "[::1]:x", "fe80::/10,10.0.0.0/8", "http://x:99999", ","]
)
def test_exemptions_that_cannot_be_read_are_no_trouble(proxy, exempt, monkeypatch):
    """Neither to this machine nor to others."""
    monkeypatch.setenv("NO_PROXY", exempt)
    with served(answering(Response("{}"))) as url:
        assert get(url).json() == {}
    assert proxy.seen == []
    assert get("http://far.example/x").status_code == 502


def test_a_request_header_is_no_proxy(proxy, monkeypatch):
    """Under CGI the header ``Proxy`` of whoever asks comes as HTTP_PROXY (CVE-2016-1000110)."""
    name_proxy(monkeypatch, proxy.url, "HTTP_PROXY")
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    with pytest.raises(httpx2.ConnectError):
        get("http://far.invalid/x")
    assert proxy.seen == []


def test_of_many_threads_each_is_answered(proxy):
    """The client for other machines is made by whoever needs it first."""
    with make_client(timeout_seconds=5.0) as client, ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda n: client.get(f"http://far.example/{n}"), range(60)))
    assert {one.status_code for one in found} == {502}
    assert len(proxy.seen) == 60


def test_an_answer_that_drips_is_left():
    """Each piece comes in time, the whole does not."""
    moments = itertools.count()
    bounds = Bounds(deadline_seconds=3, monotonic=lambda: next(moments))
    drip = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=iter([b" "] * 9)))
    with pytest.raises(AnswerRefused, match="takes longer than 3 s"):
        get("http://localhost/", bounds=bounds, transport=drip)


def test_no_password_of_the_users_is_looked_up(tmp_path, monkeypatch):
    """A netrc file of the user's is not for what licet sends."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password hidden\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sent = []

    def app(environ, start_response):
        sent.append(environ.get("HTTP_AUTHORIZATION"))
        return Response("")(environ, start_response)

    with served(app) as url:
        get(url)
    assert sent == [None]


@contextmanager
def dripping(start=b"", pause_seconds=0.05):
    """The URL of a server that sends `start`, then a byte now and then, for as long as it can."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def drip():
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(start)
            while not over.wait(pause_seconds):
                connection.sendall(b"a")

    def drip_until_left():
        with suppress(OSError):
            drip()

    thread = threading.Thread(target=drip_until_left)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    over.set()
    server.close()
    thread.join(5)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_deadline(start):
    """In the status line, in a header, in the body: each byte is in time, the answer is not."""
    began = time.monotonic()
    with dripping(start) as url, pytest.raises(httpx2.RequestError):
        get(url, bounds=Bounds(deadline_seconds=0.3))
    assert time.monotonic() - began < 2


def test_a_request_may_have_an_earlier_deadline():
    """For several requests that have to be done by one moment."""
    began = time.monotonic()
    with make_client(timeout_seconds=5.0) as client, dripping() as url:
        with pytest.raises(httpx2.ReadTimeout):
            client.get(url, extensions={DEADLINE: began + 0.2})
        assert time.monotonic() - began < 2


def test_a_proxy_that_drips_is_left_at_the_deadline(monkeypatch):
    """What goes to other machines ends at the same moment."""
    began = time.monotonic()
    with dripping(b"HTTP/1.1 200 OK\r\nX-A: ") as url:
        name_proxy(monkeypatch, url)
        with pytest.raises(httpx2.ReadTimeout):
            get("http://far.example/x", bounds=Bounds(deadline_seconds=0.3))
    assert time.monotonic() - began < 2
