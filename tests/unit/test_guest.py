"""An app with `Licet` handles its errors as the same app without it does."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Blueprint, Flask, Response, abort, got_request_exception, redirect, request
from werkzeug import exceptions as standard
from werkzeug.exceptions import HTTPException, default_exceptions

from licet import Licet
from licet import errors as ours
from licet.authz import public, requires_auth
from licet.errors import LicetError, UsageError

OURS: Final = [
    ours.MissingToken,
    ours.InvalidToken,
    ours.InsufficientScope,
    ours.AccessDenied,
    ours.NotRegistered,
    ours.ObjectNotFound,
    ours.HiddenAction,
    ours.ActionConflict,
    ours.RequestTooLarge,
    ours.InvalidRequest,
    ours.TooManyAttempts,
    ours.ActionProviderError,
    ours.OperationNotImplemented,
    ours.StoreUnavailable,
]
FOREIGN: Final = [standard.ImATeapot, standard.Unauthorized, standard.BadRequest]
UNEXPECTED: Final = [ZeroDivisionError, UsageError, ours.ActionFailure]
STATUSES: Final = sorted(default_exceptions)
KINDS: Final[dict[str, list[Any]]] = {
    "none": [],
    "statuses": STATUSES,
    "werkzeug's classes": [default_exceptions[status] for status in STATUSES],
    "HTTPException": [HTTPException],
    "licet's classes": [*OURS, ours.AuthenticationError, UsageError],
    "LicetError": [LicetError],
    "Exception": [Exception],
    "500": [500],
    "unexpected": [ArithmeticError, RuntimeError],
    "everything": [*STATUSES, HTTPException, LicetError, Exception],
}
CONFIGS: Final = [
    {},
    {"TESTING": True},
    {"DEBUG": True},
    {"PROPAGATE_EXCEPTIONS": True},
    {"PROPAGATE_EXCEPTIONS": False, "TESTING": True},
    {"TRAP_HTTP_EXCEPTIONS": True},
    {"TRAP_BAD_REQUEST_ERRORS": True, "TESTING": True},
]
REFUSED_AT_ROUTING: Final = [("GET", "/nowhere"), ("POST", "/AccessDenied"), ("GET", "/folder")]
ACCEPTS: Final = {"program": "*/*", "browser": "text/html,application/xhtml+xml,*/*;q=0.8"}
CHALLENGE: Final = "WWW-Authenticate"  # says with licet where tokens are to be had
_NUMBERS: Final = itertools.count()


def made(kind: type[Exception]) -> Exception:
    """One that can be told from others of its class."""
    if kind is ours.ActionFailure:
        return ours.ActionFailure("too_hot", "It is too hot.")
    return kind("told by the view")


def raising(kind: type[Exception]) -> Callable[[], str]:
    """A view that raises."""

    def view() -> str:
        raise made(kind)

    return view


def add_views(target: Flask | Blueprint) -> None:
    """A view for each error, and some that answer by other means."""
    for kind in (*OURS, *FOREIGN, *UNEXPECTED):
        target.add_url_rule(f"/{kind.__name__}", kind.__name__, raising(kind))
    target.add_url_rule("/field", "field", lambda: request.args["absent"])
    target.add_url_rule("/given", "given", lambda: abort(Response("given", 404)))
    target.add_url_rule("/moved", "moved", lambda: abort(redirect("/elsewhere")))
    target.add_url_rule("/folder/", "folder", lambda: "")


REQUESTS: Final = [
    *(("GET", f"/{kind.__name__}") for kind in (*OURS[::2], *FOREIGN, *UNEXPECTED)),
    *(("GET", f"/{name}") for name in ("field", "given", "moved")),
    *REFUSED_AT_ROUTING,
]


def add_handlers(target: Flask | Blueprint, kind: str) -> None:
    """Handlers that tell which of them was called with what."""
    for each in KINDS[kind]:
        name = each if isinstance(each, int) else each.__name__

        def own(error: Exception, name: object = name) -> tuple[str, int]:
            cause = getattr(error, "original_exception", None)
            return f"own {name}: {type(error).__name__} {type(cause).__name__}", 299

        target.register_error_handler(each, own)


def build(
    kind: str, place: str, attach: Callable[[Flask], object], config: dict[str, Any], *, last: bool
) -> Flask:
    """An app with handlers of a kind in a place, to which something is attached first or last."""
    app = Flask(f"host_{next(_NUMBERS)}", static_folder=None)  # each has a logger of its own
    app.config.update(LICET_PROTECT=False, LICET_EMBEDDED_ISSUER=False, **config)
    if not last:
        attach(app)
    if place == "blueprint":
        blueprint = Blueprint("part", __name__)
        add_views(blueprint)
        add_handlers(blueprint, kind)
        app.register_blueprint(blueprint)
    else:
        add_views(app)
        add_handlers(app, kind)
    if last:
        attach(app)
    return app


class Seen(logging.Handler):
    """What an app does: answers, signals and lines of Flask's log."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.app = app
        self.signalled: list[type] = []
        self.logged: list[tuple[int, str]] = []
        app.logger.handlers, app.logger.propagate = [self], False
        got_request_exception.connect(self._note, app)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.logged.append((record.levelno, record.getMessage()))

    def _note(self, _app: Flask, exception: BaseException) -> None:
        self.signalled.append(type(exception))

    def of(self, method: str, path: str, accept: str) -> dict[str, Any]:
        """Everything that one request leads to."""
        self.signalled, self.logged = [], []
        try:
            response = self.app.test_client().open(path, method=method, headers={"Accept": accept})
        except Exception as error:  # noqa: BLE001 - whatever Flask raises again
            return {"raised": type(error), "signalled": self.signalled, "logged": self.logged}
        headers = {name: value for name, value in response.headers if name != CHALLENGE}
        return {
            "status": response.status_code,
            "text": response.text,
            "headers": headers,
            "signalled": self.signalled,
            "logged": self.logged,
        }


def twice(app: Flask) -> None:
    """Two helpers that each attach the same licet."""
    Licet(app).init_app(app)


@pytest.fixture(autouse=True)
def _quiet_licet() -> Iterator[None]:
    logging.getLogger("licet").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("licet").setLevel(logging.NOTSET)


def nothing(_app: Flask) -> None:
    """Attach nothing."""


def problems(app: Flask) -> None:
    """Attach licet with every error as a document."""
    app.config["LICET_PROBLEM_ERRORS"] = True
    Licet(app)


@functools.cache
def without_licet(kind: str, place: str, number: int, accept: str) -> list[dict[str, Any]]:
    """What the app does by itself."""
    host = Seen(build(kind, place, nothing, CONFIGS[number], last=False))
    return [host.of(*asked, accept) for asked in REQUESTS]


# Every order in every place, and every configuration of each kind of handler.
CASES: Final = [
    *((place, last, 0) for place in ("app", "blueprint") for last in (False, True)),
    *((("app", "blueprint")[n % 2], n % 3 == 0, n) for n in range(1, len(CONFIGS))),
]


@pytest.mark.parametrize(("place", "last", "number"), CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_guest_changes_no_answer(kind, place, last, number):
    """Answers, raised exceptions, signals and Flask's log are those of the app without licet."""
    attach = twice if last else Licet
    housed = Seen(build(kind, place, attach, CONFIGS[number], last=last))
    accept = ACCEPTS["browser" if last else "program"]
    for asked, answer in zip(REQUESTS, without_licet(kind, place, number, accept), strict=True):
        assert housed.of(*asked, accept) == answer, asked


@pytest.mark.parametrize(("place", "last", "number"), CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_documents_are_only_for_what_the_app_leaves(kind, place, last, number):
    """What the app answers, raises, signals and logs stays; its other errors become documents."""
    housed = Seen(build(kind, place, problems, CONFIGS[number], last=last))
    accept = ACCEPTS["browser" if last else "program"]
    for asked, answer in zip(REQUESTS, without_licet(kind, place, number, accept), strict=True):
        found, expected = housed.of(*asked, accept), dict(answer)
        if is_left_to_flask(expected):
            assert found["headers"]["Content-Type"] == "application/problem+json"
            for one in (expected, found):
                del one["text"], one["headers"]
        assert found == expected, asked


def is_left_to_flask(answer: dict[str, Any]) -> bool:
    """Whether nobody but Flask, or the error itself, made the answer."""
    return answer.get("status", 0) >= 400 and answer["text"] != "given"


@pytest.mark.parametrize("last", [False, True], ids=["licet first", "licet last"])
@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_licets_errors_are_taken_by_status_and_by_class(kind, last):
    """``errorhandler(401)``, ``errorhandler(Unauthorized)`` and wider ones take licet's 401, …"""
    status = kind().code
    for each in (status, default_exceptions[status], kind, HTTPException, LicetError, Exception):
        app = build("none", "app", nothing if last else Licet, {}, last=False)
        app.register_error_handler(each, lambda _error: "own")
        if last:
            Licet(app)
        assert app.test_client().get(f"/{kind.__name__}").text == "own", each


@pytest.mark.parametrize(("status", "is_taken"), [(401, False), (403, True)])
def test_a_lacking_scope_is_a_403(status, is_taken):
    """The page for those who have to sign in is not for somebody who has."""
    app = build("none", "app", Licet, {}, last=False)
    app.register_error_handler(status, lambda _error: "own")
    assert (app.test_client().get("/InsufficientScope").text == "own") is is_taken


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        (None, "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("text/html", "text/html"),
    ],
)
@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_without_a_handler_licets_errors_answer_by_accept(kind, accept, mimetype):
    """Programs get documents and browsers pages, and caches are told so."""
    headers = {} if accept is None else {"Accept": accept}
    answer = build("none", "app", Licet, {}, last=False).test_client()
    answer = answer.get(f"/{kind.__name__}", headers=headers)
    assert (answer.status_code, answer.mimetype) == (kind().code, mimetype)
    assert "Accept" in answer.vary
    assert (CHALLENGE in answer.headers) or answer.status_code != 401


@pytest.mark.parametrize("accept", ACCEPTS.values(), ids=ACCEPTS)
def test_a_head_request_has_the_headers_of_get(accept):
    """And no body."""
    client = build("none", "app", Licet, {}, last=False).test_client()
    got, head = (
        client.open("/AccessDenied", method=method, headers={"Accept": accept})
        for method in ("GET", "HEAD")
    )
    assert head.data == b""
    assert dict(head.headers) == dict(got.headers)


def test_a_value_that_is_no_flag_is_refused(tmp_path: Path):
    """The error names the setting."""
    app = Flask("host", instance_path=str(tmp_path))
    app.config["LICET_PROBLEM_ERRORS"] = "perhaps"
    with pytest.raises(ours.ConfigurationError, match="LICET_PROBLEM_ERRORS"):
        Licet(app)


CHROME: Final = (  # its Accept header, to the letter
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


def test_chrome_gets_pages(tmp_path: Path) -> None:
    """What a person in a browser is refused, or does not find, is told on a page."""
    app = Flask("host", instance_path=str(tmp_path))
    Licet(app)
    app.add_url_rule("/", "home", public(lambda: "<h1>Welcome</h1>"))
    app.add_url_rule("/you", "you", requires_auth("you")(lambda: "you"))
    client = app.test_client()

    got = {path: client.get(path, headers={"Accept": CHROME}) for path in ("/", "/you", "/nowhere")}

    assert [answer.status_code for answer in got.values()] == [200, 401, 404]
    assert {answer.mimetype for answer in got.values()} == {"text/html"}
    assert "This operation needs a bearer token" in got["/you"].text
