"""Documents of a provider, and the limits within which they are fetched."""

import gzip
import itertools
import socket

import httpx2
import pytest
from tests.unit.actions.serving import served
from werkzeug import Response

from licet.authn.tokens._fetch import JSONFetcher, ProviderUnusable
from licet.wire.client import MAX_BYTES


@pytest.fixture
def pages():
    """Paths and the answers that the server gives there."""
    return {"/good": Response('{"a": 1}')}


@pytest.fixture
def url(pages):
    def app(environ, start_response):
        return pages[environ["PATH_INFO"]](environ, start_response)

    with served(app) as found:
        yield httpx2.URL(found)


def test_a_json_object_is_fetched(url):
    """The document comes as a dictionary."""
    assert JSONFetcher().get(url.join("/good")) == {"a": 1}


@pytest.mark.parametrize("status", [201, 204, 400, 404, 429, 500, 503])
def test_only_200_counts(url, pages, status):
    """Any other answer is none, whatever its body."""
    pages["/x"] = Response('{"a": 1}', status)
    with pytest.raises(ProviderUnusable, match=str(status)):
        JSONFetcher().get(url.join("/x"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'"x"', b"null", b"\xff", b"[" * 9999])
def test_what_is_no_object_is_refused(url, pages, body):
    """The document is one JSON object, whole."""
    pages["/x"] = Response(body)
    with pytest.raises(ProviderUnusable, match="holds no JSON"):
        JSONFetcher().get(url.join("/x"))


@pytest.mark.parametrize(("size", "fits"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_a_document_has_a_longest_size(url, pages, size, fits):
    """256 KiB are enough for any key set."""
    pages["/x"] = Response(b'{"a": 1}'.ljust(size))
    if fits:
        assert JSONFetcher().get(url.join("/x")) == {"a": 1}
    else:
        with pytest.raises(ProviderUnusable, match="longer"):
            JSONFetcher().get(url.join("/x"))


def test_an_endless_document_is_left(url, pages):
    """Reading ends at the limit, not at the document's end."""
    pages["/x"] = Response(itertools.repeat(b" " * 4096))
    with pytest.raises(ProviderUnusable, match="longer"):
        JSONFetcher().get(url.join("/x"))


def test_a_compressed_document_is_not_unpacked(url, pages):
    """A few bytes that unpack to gigabytes stay a few bytes."""
    bomb = gzip.compress(b" " * 10_000_000)
    pages["/x"] = Response(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(ProviderUnusable, match="compressed"):
        JSONFetcher().get(url.join("/x"))


def test_a_document_that_trickles_is_left(url):
    """The five seconds are for the whole document, not for each piece of it."""
    moments = iter([0.0, 1.0, 6.0])

    def trickle(request):
        return httpx2.Response(200, content=iter([b"{", b"}", b" "]))

    fetcher = JSONFetcher(transport=httpx2.MockTransport(trickle), monotonic=lambda: next(moments))
    with pytest.raises(ProviderUnusable, match="longer than 5 s"):
        fetcher.get(url)


def test_a_silent_server_is_left(monkeypatch):
    """Where somebody listens and says nothing, waiting ends."""
    monkeypatch.setattr("licet.authn.tokens._fetch.TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = httpx2.URL(f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(ProviderUnusable, match="ReadTimeout"):
            JSONFetcher().get(address)


def test_the_timeout_is_five_seconds():
    """No request may take longer, whatever part of it."""
    assert JSONFetcher()._http.timeout == httpx2.Timeout(5.0)


def test_redirects_within_one_server_are_followed(url, pages):
    """A provider may move a document at home."""
    pages["/x"] = Response("", 302, {"Location": "/y"})
    pages["/y"] = Response("", 307, {"Location": str(url.join("/good"))})
    assert JSONFetcher().get(url.join("/x")) == {"a": 1}


def test_a_server_may_be_spelt_in_another_way(url, pages):
    """A redirect at home is one, however the address of this machine was written."""
    pages["/x"] = Response("", 302, {"Location": "/good"})
    assert JSONFetcher().get(url.copy_with(host="127.1").join("/x")) == {"a": 1}


def test_a_mark_at_the_beginning_is_passed_over(url, pages):
    """Some editors put one before every document."""
    pages["/x"] = Response(b'\xef\xbb\xbf{"a": 1}')
    assert JSONFetcher().get(url.join("/x")) == {"a": 1}


def test_a_member_twice_is_refused(url, pages):
    """Whoever reads the other one would trust other keys."""
    pages["/x"] = Response(b'{"jwks_uri": "https://a", "jwks_uri": "https://b"}')
    with pytest.raises(ProviderUnusable, match="holds no JSON"):
        JSONFetcher().get(url.join("/x"))


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:{}/good",
        "https://127.0.0.1:{}/good",
        "http://127.0.0.1:1/",
        "//x.example/",
    ],
)
def test_redirects_elsewhere_are_not_followed(url, pages, target):
    """Another scheme, host or port is another server."""
    pages["/x"] = Response("", 302, {"Location": target.format(url.port)})
    with pytest.raises(ProviderUnusable, match="another host"):
        JSONFetcher().get(url.join("/x"))


@pytest.mark.parametrize("location", ["http://[::1", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
def test_a_redirect_to_nowhere_is_refused(url, pages, location):
    """A redirect that cannot be followed is a failure like any other."""
    pages["/x"] = Response("", 302, {"Location": location})
    with pytest.raises(ProviderUnusable):
        JSONFetcher().get(url.join("/x"))


def test_endless_redirects_are_left(url, pages):
    """Three redirects are followed, no more."""
    pages["/x"] = Response("", 302, {"Location": "/x"})
    with pytest.raises(ProviderUnusable, match="without end"):
        JSONFetcher().get(url.join("/x"))


def test_no_connection_stays_open(url):
    """Between fetches nothing is held that a fork could share."""
    fetcher = JSONFetcher()
    fetcher.get(url.join("/good"))
    assert not fetcher._http._transport._pool.connections
