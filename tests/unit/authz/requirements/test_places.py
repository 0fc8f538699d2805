"""Where contexts are seen: copies of a request context, streams, and what is no part of either."""

import contextvars
import gc
import io
import subprocess
import sys
import threading
import weakref

import gevent
import pytest
from flask import (
    Flask,
    Response,
    copy_current_request_context,
    request,
    send_file,
    stream_with_context,
)
from flask.globals import request_ctx
from tests.unit.authz.asking import no, yes
from werkzeug.test import create_environ
from werkzeug.wsgi import FileWrapper

from licet.authz import (
    Additional,
    AdditionalManager,
    Allows,
    Override,
    Permission,
    current_additions,
    current_overrides,
)


@pytest.fixture
def allows(app: Flask) -> Allows:
    """An app's Allows."""
    return Allows(app, identity_loader=lambda: "ann")


def may(*requirements) -> bool:
    return bool(Permission(*requirements))


def forbid(how: str, allows: Allows) -> None:
    """Add a requirement that nobody fulfils, for the rest of the request."""
    if how == "added":
        current_additions.add(no)
    else:
        allows.additional.push(Additional(no))


def permit(how: str, allows: Allows) -> None:
    if how == "added":
        current_overrides.add(no)
    else:
        allows.overrides.push(Override(no))


@pytest.fixture(params=["added", "pushed"])
def how(request) -> str:
    """Into what the request began with, or as a context of its own."""
    return request.param


def in_view(app: Flask, view) -> object:
    """What `view` gives when it answers a request."""
    found: list[object] = []
    app.add_url_rule("/", view_func=lambda: found.append(view()) or "done")
    assert app.test_client().get("/").status_code == 200
    return found[0]


def in_thread(work) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def in_greenlet(work) -> None:
    gevent.spawn(work).get(timeout=10)


RUN = pytest.mark.parametrize("run", [in_thread, in_greenlet, lambda work: work()])


# --- copies --------------------------------------------------------------------------------------


@RUN
def test_a_copy_sees_what_was_in_force(app, allows, how, run):
    """And when it ends, nothing has ended where it was made."""

    def view():
        forbid(how, allows)
        permit(how, allows)
        seen = []
        run(copy_current_request_context(lambda: seen.append((may(yes), may(no)))))
        allows.overrides.pop()
        run(copy_current_request_context(lambda: seen.append((may(yes), may(no)))))
        return [*seen, (may(yes), may(no))]

    assert in_view(app, view) == [(True, True), (False, False), (False, False)]


@RUN
def test_a_copy_keeps_what_was_in_force_when_it_was_made(app, allows, run):
    """A block that has ended since, or has begun, is no matter; not even where the copy runs."""

    def view():
        seen = []
        look = lambda: seen.append(may(yes))  # noqa: E731
        with allows.additional.additional(Additional(no)):
            restricted = copy_current_request_context(look)
        free = copy_current_request_context(look)
        run(restricted)
        with allows.additional.additional(Additional(no)):
            run(free)
        return seen

    assert in_view(app, view) == [False, True]


@RUN
def test_what_a_copy_pushes_and_pops_is_its_own(app, allows, run):
    """The pair that the request began with cannot be ended from there either."""

    def view():
        current_additions.add(no)

        def work():
            allows.additional.pop()
            allows.clear_all_overrides()
            allows.overrides.push(Override(no))

        run(copy_current_request_context(work))
        return may(yes), current_overrides == Override()

    assert in_view(app, view) == (False, True)


@RUN
def test_a_copy_of_a_copy_sees_what_the_copy_saw(app, allows, run):
    """Also when nothing was pushed between, and what was."""

    def view():
        seen = []

        def look():
            seen.append((may(yes), may(no)))

        def work():
            in_thread(copy_current_request_context(look))
            allows.overrides.push(Override(no))
            in_thread(copy_current_request_context(look))

        with allows.additional.additional(Additional(no)):
            run(copy_current_request_context(work))
        return seen

    assert in_view(app, view) == [(False, False), (True, True)]


def test_a_copy_outlives_its_request(app, allows, how):
    """A job that goes on when the response was sent is under the same restrictions."""

    def view():
        forbid(how, allows)
        return copy_current_request_context(lambda: seen.append(may(yes)))

    seen: list[bool] = []
    in_thread(in_view(app, view))
    assert seen == [False]


def test_copied_variables_see_what_was_in_force(app, allows, how):
    """As `asyncio.to_thread` copies them; what is pushed and popped there is not seen here."""

    def view():
        forbid(how, allows)
        seen = []

        def work():
            seen.append(may(yes))
            allows.clear_all_additional()
            seen.append(may(yes))

        variables = contextvars.copy_context()
        in_thread(lambda: variables.run(work))
        return [*seen, may(yes)]

    assert in_view(app, view) == [False, True, False]


def test_all_that_was_popped_stays_popped(app, allows):
    """A request context whose contexts have all been ended does not begin anew."""

    def view():
        allows.additional.pop()
        allows.overrides.pop()
        seen = []
        in_thread(copy_current_request_context(lambda: seen.append(allows.additional.current)))
        return [*seen, allows.additional.current, allows.overrides.current]

    assert in_view(app, view) == [None, None, None]


def test_an_unattached_allows_is_seen_in_copies(app):
    """In a request of an app that has none."""
    manager = AdditionalManager()

    def view():
        manager.push(Additional(no))
        seen = []
        in_thread(copy_current_request_context(lambda: seen.append(manager.current)))
        return seen

    assert in_view(app, view) == [Additional(no)]


def test_a_request_context_goes_with_its_request(app, allows):
    """What was pushed in it keeps it from being freed no longer than without."""

    def view():
        allows.additional.push(Additional(no))
        in_thread(copy_current_request_context(lambda: allows.overrides.push(Override(no))))
        return weakref.ref(request_ctx._get_current_object())

    gc.disable()
    try:
        assert in_view(app, view)() is None
    finally:
        gc.enable()


PATCHED = """
from gevent import monkey
monkey.patch_all()
import gevent
from flask import Flask, copy_current_request_context
from licet.authz import Additional, Allows, Permission
app = Flask("patched")
allows = Allows(app, identity_loader=lambda: "ann")
no, yes = lambda user: False, lambda user: True

@app.get("/<int:number>")
def view(number):
    gates[number].wait(10)
    if number % 2:
        with allows.additional.additional(Additional(no)):
            for gate in gates[number + 1:]:
                gate.set()
            gevent.sleep(0)
            seen = []
            greenlet = gevent.spawn(
                copy_current_request_context(lambda: seen.append(bool(Permission(yes)))))
            greenlet.join(10)
            return f"{seen} {bool(Permission(yes))}"
    for gate in gates[number + 1:number + 2]:
        gate.set()
    gevent.sleep(0)
    return str(bool(Permission(yes)))

gates = [gevent.event.Event() for _ in range(6)]
gates[0].set()
asked = [gevent.spawn(lambda n=n: app.test_client().get(f"/{n}").text) for n in range(6)]
print([one.get(timeout=20) for one in asked])
"""


def test_greenlets_of_a_patched_server_are_apart():
    """Requests that take turns in one thread see their own contexts, and their copies see them."""
    done = subprocess.run(
        [sys.executable, "-c", PATCHED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == str(["True", "[False] False"] * 3), done.stderr


@RUN
def test_a_copy_with_another_request_object_sees_what_was_in_force(app, allows, run):
    """As when an app puts a wrapped request in place of Flask's, of which licet knows nothing."""
    seen = []

    def view():
        allows.additional.push(Additional(no))
        context = request_ctx._get_current_object()
        context.request = app.request_class(request.environ)
        run(copy_current_request_context(lambda: seen.append(allows.fulfill([yes]))))
        return allows.fulfill([yes])

    assert in_view(app, view) is False
    assert seen == [False]


# --- streams -------------------------------------------------------------------------------------


STREAMS = pytest.mark.parametrize(
    "wrap", [stream_with_context, iter], ids=["with context", "plain"]
)


def streamed(app: Flask, view) -> Response:
    app.add_url_rule("/", view_func=view)
    return app.test_client().get("/")


@STREAMS
def test_contexts_hold_while_a_response_streams(app, allows, how, wrap):
    """In each part, and when the stream is closed."""
    seen = []

    def parts():
        try:
            while True:
                seen.append(allows.fulfill([yes]))
                yield "part"
        finally:
            seen.append(allows.fulfill([yes]))

    def view():
        forbid(how, allows)
        return Response(wrap(parts()))

    response = streamed(app, view)
    chunks = iter(response.response)
    assert (next(chunks), next(chunks)) == (b"part", b"part")
    response.close()
    assert len(seen) >= 3
    assert not any(seen)
    assert allows.fulfill([yes])


def test_a_generator_that_is_passed_through_is_under_contexts(app, allows, how):
    """Unlike a file, it is code, which may ask."""

    def view():
        forbid(how, allows)
        parts = (str(allows.fulfill([yes])).encode() for _ in range(2))
        return Response(parts, direct_passthrough=True)

    assert streamed(app, view).data == b"FalseFalse"


def test_a_stream_is_read_in_another_thread(app, allows, how):
    """Which has none of the context variables."""

    def view():
        forbid(how, allows)
        return Response(str(allows.fulfill([yes])) for _ in range(2))

    app.add_url_rule("/", view_func=view)
    chunks, read = app(create_environ("/"), lambda *_: None), []
    in_thread(lambda: read.extend(chunks))
    assert read == [b"False", b"False"]


@STREAMS
def test_what_a_stream_pushes_counts_in_its_next_part(app, allows, wrap):
    """And nowhere else: neither between the parts of a plain one nor in another stream."""

    def parts():
        allows.overrides.push(Override(no))
        yield str(allows.fulfill([no]))
        yield str(allows.fulfill([no]))

    app.add_url_rule("/", view_func=lambda: Response(wrap(parts())))
    app.add_url_rule("/other", "other", lambda: Response(wrap(str(may()) for _ in [1])))
    chunks = app(create_environ("/"), lambda *_: None)
    assert next(chunks) == b"True"
    if wrap is iter:
        assert not allows.fulfill([no])
    assert list(chunks) == [b"True"]
    assert not allows.fulfill([no])


@pytest.mark.parametrize("is_same_app", [True, False], ids=["same app", "an app without licet"])
def test_a_copy_of_the_reading_request_has_the_contexts_of_the_stream(app, allows, is_same_app):
    """One request reads the stream of another, and the stream copies the current context."""
    seen = []

    def parts():
        work = copy_current_request_context(lambda: seen.append(allows.fulfill([yes])))
        in_thread(work)
        yield "part"

    def inner():
        allows.additional.push(Additional(no))
        return Response(parts())

    def outer():
        list(app(create_environ("/inner"), lambda *_: None))
        return str(allows.fulfill([yes]))

    app.add_url_rule("/inner", view_func=inner)
    assert streamed(app if is_same_app else Flask("reader"), outer).text == "True"
    assert seen == [False]


def test_a_late_function_may_change_what_a_stream_is_under(app):
    """One that was registered before the Allows runs last of all."""
    app.after_request(lambda response: allows.additional.push(Additional(no)) or response)
    allows = Allows(app, identity_loader=lambda: "ann")
    Allows(app)  # and another one
    answers = (str(allows.fulfill([yes])) for _ in range(2))
    assert streamed(app, lambda: Response(answers)).text == "FalseFalse"


def test_a_stream_may_be_any_iterable(app, allows):
    """It is asked for its parts when they are sent, once or more."""

    class Parts:
        def __iter__(self):
            yield str(allows.fulfill([yes]))

    def view():
        current_additions.add(no)
        return Response(Parts())

    app.add_url_rule("/", view_func=view)
    with app.test_request_context("/"):
        made = app.full_dispatch_request()
    assert [*made.response] == [*made.response] == ["False"]
    made.close()


@STREAMS
@pytest.mark.parametrize("drop", [in_thread, lambda work: work()], ids=["thread", "here"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Flask's context
def test_an_abandoned_stream_ends_under_its_contexts(app, allows, how, wrap, drop):
    """Nobody closes it, so it ends where the last reference to it is dropped."""
    seen, read = [], []

    def parts():
        try:
            yield "part"
        finally:
            seen.append(allows.fulfill([yes]))

    def view():
        forbid(how, allows)
        return Response(wrap(parts()))

    app.add_url_rule("/", view_func=view)

    def start():
        chunks = iter(app(create_environ("/"), lambda *_: None))
        assert next(chunks) == b"part"
        read.append(chunks)

    def end():
        read.clear()
        gc.collect()

    in_thread(lambda: contextvars.Context().run(start))
    drop(end)
    assert seen == [False]
    assert allows.fulfill([yes])


def test_a_stream_keeps_a_request_of_its_own_open(app, allows, how):
    """What it pushes in it counts there in later parts, and what holds for the stream does not."""

    def parts():
        with app.test_request_context("/"):
            app.preprocess_request()
            yield str(allows.fulfill([yes]))
            yield str(allows.fulfill([yes]))
            permit("pushed", allows)
            allows.additional.push(Additional(yes))
            yield str(allows.fulfill([no]))
            yield str(allows.fulfill([no]))
            with app.test_request_context("/"):
                allows.overrides.push(Override(yes))
                yield str(allows.fulfill([no]))
            yield str(allows.fulfill([no]))
        yield str(allows.fulfill([yes]))
        allows.overrides.push(Override(no))
        yield str(allows.fulfill([yes]))
        yield str(allows.fulfill([yes]))

    def view():
        forbid(how, allows)
        return Response(parts())

    answers = ["True", "True", "True", "True", "False", "True", "False", "True", "True"]
    assert [part.decode() for part in streamed(app, view).iter_encoded()] == answers


def test_what_a_stream_changes_as_its_own_request_ends_counts(app, allows):
    """The part begins in that request, and ends in the reader's."""

    def parts():
        with app.test_request_context("/"):
            yield "opened"
        allows.additional.push(Additional(no))
        yield str(allows.fulfill([yes]))
        yield str(allows.fulfill([yes]))

    response = streamed(app, lambda: Response(parts()))
    assert [*response.iter_encoded()] == [b"opened", b"False", b"False"]


class Sized:
    """A body that knows its length, and makes its parts as they are read."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 1

    def __iter__(self):
        return map(self.make, range(1))


@pytest.mark.parametrize("body", [Sized, lambda make: map(make, range(1))], ids=["sized", "map"])
@pytest.mark.parametrize("is_passed", [True, False], ids=["passed through", "as usual"])
def test_whatever_runs_code_is_under_contexts(app, allows, how, body, is_passed):
    """No generators: a body that has a length, and an iterator of Python's."""

    def view():
        forbid(how, allows)
        parts = body(lambda _number: str(allows.fulfill([yes])).encode())
        return Response(parts, direct_passthrough=is_passed)

    app.add_url_rule("/", view_func=view)
    assert b"".join(app(create_environ("/"), lambda *_: None)) == b"False"


@pytest.mark.parametrize("wrap", [None, io.BufferedReader, lambda file, _size: file])
def test_files_are_left_to_the_server(app, allows, wrap):
    """Which may know a faster way to send them, and have a class or a function for them."""
    app.add_url_rule("/", view_func=lambda: send_file(io.BytesIO(b"file"), "text/plain"))
    environ = {"wsgi.file_wrapper": wrap} if wrap else {}
    with app.test_request_context("/", environ_overrides=environ):
        made = app.full_dispatch_request()
        assert isinstance(made.response, (FileWrapper, io.IOBase))
        made.close()


# --- what has no part in it ----------------------------------------------------------------------


def test_nothing_is_seen_outside_of_the_request(app, allows, how):
    """Not in nested requests, whether sent or made, and not in other threads."""
    app.add_url_rule("/plain", "plain", lambda: str(may(yes)))

    def view():
        forbid(how, allows)
        seen = [app.test_client().get("/plain").text]
        with app.test_request_context("/plain"):
            seen.append(may(yes))
            app.preprocess_request()
            seen.append(may(yes))

        def work():
            with app.app_context():
                seen.append(may(yes))

        in_thread(work)
        with app.app_context():
            return [*seen, may(yes)]

    assert in_view(app, view) == ["True", True, True, True, False]


def test_nothing_is_left_for_what_comes_after(app, allows, how):
    """The next request in the thread, another client, an app context, a stream that nobody read."""
    app.add_url_rule("/plain", "plain", lambda: str(may(yes)))

    def view():
        forbid(how, allows)
        return Response("part" for _ in range(3))

    app.add_url_rule("/", view_func=view)
    first, second = app.test_client(), app.test_client()
    unread = first.get("/")
    assert [client.get("/plain").text for client in (first, second)] == ["True", "True"]
    with app.app_context():
        assert may(yes)
    with app.test_request_context("/"):
        assert may(yes)
    unread.close()


def test_clients_that_keep_their_contexts_are_apart(app, allows):
    """Each ``with`` statement of a client's keeps the context of its last request."""
    app.add_url_rule("/plain", "plain", lambda: "done")
    app.add_url_rule("/", view_func=lambda: str(forbid(request.args["how"], allows)))
    for how in ("added", "pushed"):
        with app.test_client() as first:
            first.get(f"/?how={how}")
            assert not may(yes)
            with app.test_client() as second:
                second.get("/plain")
                assert may(yes)
            assert not may(yes)
            first.get("/plain")
            assert may(yes)


def test_two_requests_of_one_thread_take_turns(app, allows):
    """Pushing in the one leaves what is in force in the other."""
    with app.test_request_context("/"):
        app.preprocess_request()
        current_additions.add(no)
        allows.additional.push(Additional(no), use_parent=True)
        with app.test_request_context("/"):
            app.preprocess_request()
            allows.additional.push(Additional(yes))
            assert may(yes)
        assert not may(yes)


def test_pushes_before_the_allows_began_stay_the_innermost(app):
    """A function that runs before it may push already; and what it looked at is kept."""
    first = Allows(app, identity_loader=lambda: "ann")

    @app.before_request
    def early():
        first.additional.push(Additional(no))
        second.additional.push(Additional(yes))

    second = Allows(app, identity_loader=lambda: "ben")

    def view():
        seen = [list(second.additional.current), list(first.additional.current)]
        second.additional.pop()
        first.additional.pop()
        return [*seen, second.additional.current, first.additional.current]

    empty = Additional()
    assert in_view(app, view) == [[yes], [no], empty, empty]


def test_a_request_begins_once(app, allows):
    """An app may give it to the functions before the request again, or have attached twice."""
    allows.init_app(app)

    def view():
        current_additions.add(no)
        app.preprocess_request()
        return allows.fulfill([yes]), len(current_additions)

    assert in_view(app, view) == (False, 1)


def test_what_is_added_before_a_second_attachment_counts(app, allows):
    @app.before_request
    def early():
        current_additions.add(no)

    allows.init_app(app)
    assert in_view(app, lambda: allows.fulfill([yes])) is False
