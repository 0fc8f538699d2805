"""What a view says of each of its methods, however it was made."""

import functools
from unittest.mock import Mock

import pytest
from flask.views import MethodView, View
from tests.unit.authz.guards import GUARDED, exempt, guarded

from licet.authz.declared._views import is_exempt, location_of, marks_on, parts_of
from licet.authz.declared.marks import public


def ok(**_arguments):
    return "ok"


class Object:
    def __call__(self):
        return ""


class GuardedObject:
    @guarded
    def __call__(self):
        return ""


class Methods:
    @guarded
    def marked(self):
        return ""

    def bare(self):
        return ""


class Answering:
    """Has every attribute."""

    def __getattr__(self, name):
        return name

    def __call__(self):
        return ""


def declared(view, *methods: str) -> dict[tuple[str, ...], bool]:
    return {part.methods: bool(part.access) for part in parts_of(view, methods)}


@pytest.mark.parametrize(
    ("view", "marked"),
    [
        (ok, False),
        (guarded(ok), True),
        (functools.partial(ok), False),
        (functools.partial(guarded(ok)), True),
        (functools.partial(functools.partial(guarded(ok), a=1), b=2), True),
        (functools.wraps(guarded(ok))(lambda: ""), True),
        (lambda: "", False),
        (public(lambda: ""), True),
        (len, False),
        (Object(), False),
        (GuardedObject(), True),
        (public(Object()), True),
        (Methods().bare, False),
        (Methods().marked, True),
        (Answering(), False),
        (Mock(), False),
        (str, False),
        (None, False),
    ],
)
def test_marks_are_found_where_they_count(view, marked):
    """On what is registered, or on what it surely calls; an attribute of any value is no mark."""
    assert bool(marks_on(view)) is marked


def test_marks_of_partials_are_all_told():
    """A mark on the partial comes before that of its function."""
    view = public(functools.partial(guarded(ok)))
    assert [access.text for access in marks_on(view)] == ["public", "guarded"]


@pytest.mark.parametrize("view", [exempt(lambda: ""), functools.partial(exempt(lambda: ""))])
def test_exempt_views(view):
    """The attribute counts through a partial, and travels to a wrapper."""
    assert is_exempt(view)
    assert is_exempt(guarded(exempt(lambda: "")))
    assert not is_exempt(ok)
    assert not is_exempt(None)


def test_a_class_views_decorators_mark_it():
    """`decorators` wrap the view function; a decorator on the class itself does not."""

    class Decorated(View):
        decorators = (guarded,)

        def dispatch_request(self):
            return ""

    @public
    class Mistaken(View):
        def dispatch_request(self):
            return ""

    assert declared(Decorated.as_view("x"), "GET", "HEAD") == {("GET",): True}
    assert declared(Mistaken.as_view("x"), "GET", "POST") == {("GET", "POST"): False}
    assert declared(Mistaken.as_view("x")) == {}


@pytest.mark.parametrize("base", [View, MethodView])
def test_a_guarded_dispatch_covers_every_method(base):
    """All requests go through `dispatch_request`."""

    class Guarded(base):
        def get(self):
            return ""

        @guarded
        def dispatch_request(self):
            return ""

    assert declared(Guarded.as_view("x"), "GET", "POST") == {("GET", "POST"): True}


def test_methods_speak_for_themselves():
    """Each handler's own words count for its method, with those of the whole view before them."""

    class Items(MethodView):
        decorators = (public,)

        def get(self):
            return ""

        @guarded
        def post(self):
            return ""

    get, post = parts_of(Items.as_view("x"), {"GET", "HEAD", "POST"})
    assert [access.text for access in get.access] == ["public"]
    assert [access.text for access in post.access] == ["public", "guarded"]
    assert (get.methods, post.methods) == (("GET",), ("POST",))


def test_handlers_may_be_inherited():
    """A subclass says what its bases say; what it overrides says nothing any more."""

    class Base(MethodView):
        @guarded
        def get(self):
            return ""

        @guarded
        def post(self):
            return ""

    class Child(Base):
        def post(self):
            return ""

    assert declared(Child.as_view("x"), "GET", "POST") == {("GET",): True, ("POST",): False}


def test_a_head_of_its_own_is_a_method():
    """HEAD is GET, unless the class answers it by other code."""

    class Own(MethodView):
        @guarded
        def get(self):
            return ""

        def head(self):
            return ""

    class Only(MethodView):
        @guarded
        def get(self):
            return ""

    assert declared(Own.as_view("x"), "GET", "HEAD") == {("GET",): True, ("HEAD",): False}
    assert declared(Only.as_view("x"), "GET", "HEAD") == {("GET",): True}
    assert declared(Only.as_view("x"), "HEAD") == {("HEAD",): True}


@pytest.mark.parametrize("methods", [("POST",), ("*",)])
def test_a_method_without_a_handler_is_not_declared(methods):
    """Nobody can say what would answer it."""

    class Items(MethodView):
        @guarded
        def get(self):
            return ""

    assert declared(Items.as_view("x"), *methods) == {methods: False}


def test_a_view_class_that_is_none_is_ignored():
    """An attribute of that name may be anything."""

    def view():
        return ""

    view.view_class = int
    assert declared(view, "GET") == {("GET",): False}


def code_line(function) -> str:
    return f"{__file__}:{function.__code__.co_firstlineno}"


@pytest.mark.parametrize(
    ("view", "place"),
    [
        (ok, code_line(ok)),
        (guarded(guarded(ok)), code_line(ok)),
        (functools.partial(guarded(ok)), code_line(ok)),
        (Methods().bare, code_line(Methods.bare)),
        (Object(), code_line(Object.__call__)),
        (Object, code_line(Object.__call__)),
        (len, "builtins.len"),
        (functools.partial(len), "builtins.len"),
        (str, "builtins.str"),
        ("".join, "builtins.str.join"),
        (type("Empty", (), {"__module__": "here"}), "here.Empty"),
        (7, "builtins.int"),
        (None, "no view function"),
    ],
)
def test_every_view_has_a_place(view, place):
    """File and line of the innermost function, else a name."""
    assert location_of(view) == place


def test_wrappers_in_a_circle_have_a_place():
    """A function that says it wraps itself stops nothing, nor does a partial of partials."""

    def circular():
        return ""

    circular.__wrapped__ = circular
    deep = ok
    for _ in range(60):
        deep = functools.partial(deep)
        deep.kept = True  # partials with attributes are not flattened
    assert location_of(circular) == code_line(circular)
    assert marks_on(deep) == ()


def test_parts_are_told_where_their_first_method_stands():
    """An undeclared method is found by its own line."""

    class Items(MethodView):
        @guarded
        def get(self):
            return ""

        def put(self):
            return ""

    get, put = parts_of(Items.as_view("x"), {"GET", "PUT"})
    assert get.access == (GUARDED,)
    assert put.location == code_line(Items.put)
