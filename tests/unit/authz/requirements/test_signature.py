"""What can be a requirement, and which of them want the request."""

import functools
import operator
from unittest import mock

import pytest
from tests.ids import shown
from tests.unit.authz.asking import Has, is_admin, later, yes

from licet.authz import Requirement
from licet.authz.requirements._answer import describe, ensure_requirement, wants_request_too


async def agen(_user):
    yield True


def gen(_user):
    yield True


class Callable:
    """Is asked by being called."""

    def __call__(self, user):
        return True


class AsyncCallable:
    """Would answer later."""

    async def __call__(self, user):
        return True


class AsyncRequirement(Requirement):
    """Would answer later."""

    async def fulfill(self, user):
        return True


def wrapped(function):
    """A decorator as most are written."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def narrowed(function):
    """A decorator that takes the identity alone, whatever it wraps."""

    @functools.wraps(function)
    def wrapper(user):
        return function(user, None)

    return wrapper


class Wrapped(Requirement):
    """A class whose method is decorated."""

    @wrapped
    def fulfill(self, user):
        return True


class WrappedBoth(Requirement):
    """The same with the request."""

    @wrapped
    def fulfill(self, user, request):
        return True


@pytest.mark.parametrize(
    "bad",
    [
        *(Has, Requirement, int, type("Free", (), {})),
        *(later, agen, gen, AsyncCallable(), AsyncRequirement(), functools.partial(later)),
        *(mock.AsyncMock(), "admin", None, 1, ["admin"]),
    ],
    ids=shown,
)
def test_what_would_always_pass_is_refused(bad):
    """Classes, coroutine and generator functions, and what cannot be called."""
    with pytest.raises(TypeError):
        ensure_requirement(bad)


def test_the_refusal_names_the_remedy():
    """A class is to be instantiated."""
    with pytest.raises(TypeError, match=r"Has is a class.*Has\(\)"):
        ensure_requirement(Has)


@pytest.mark.parametrize(
    "good",
    [is_admin, Has("x"), Callable(), Callable().__call__, functools.partial(is_admin), mock.Mock()],
    ids=shown,
)
def test_what_can_be_asked_is_let_through(good):
    """Functions, methods, partials, instances and mocks."""
    ensure_requirement(good)


ALONE = [
    *(lambda user: 1, lambda user, limit=3: 1, lambda *args: 1, lambda user, *args, **kw: 1),
    *(lambda user, *, request=None: 1, Callable(), Callable().__call__, Has("x").fulfill),
    *(wrapped(yes), narrowed(lambda user, request: 1), Wrapped().fulfill, mock.Mock()),
    *(frozenset().__contains__, operator.attrgetter("is_admin"), functools.partial(max, 1)),
    functools.partial(lambda request, user: 1, None),
]
BOTH = [
    *(lambda user, request: 1, lambda u, r: 1, lambda user, request=None: 1),
    *(lambda user, request, *rest: 1, lambda user, request, more=1: 1),
    *(wrapped(lambda user, request: 1), wrapped(wrapped(lambda user, request=None: 1))),
    *(WrappedBoth().fulfill, functools.partial(lambda a, user, request: 1, None)),
]


@pytest.mark.parametrize("called", ALONE)
def test_the_identity_alone(called):
    """One parameter, or more that need not be given and are not called request."""
    assert wants_request_too(called) is False
    assert wants_request_too(called) is False


@pytest.mark.parametrize("called", BOTH)
def test_identity_and_request(called):
    """A second parameter without a default, or one called request."""
    assert wants_request_too(called) is True
    assert wants_request_too(called) is True


@pytest.mark.parametrize(
    "called", [lambda: 1, lambda a, b, c: 1, lambda user, *, more: 1, lambda **options: 1]
)
def test_neither(called):
    """What could never be called is refused."""
    with pytest.raises(TypeError, match="the identity alone"):
        wants_request_too(called)


def test_a_builtin_that_tells_nothing_gets_the_identity():
    """Some have no signature to read."""
    silent = mock.Mock(__signature__="none")
    with mock.patch("inspect.signature", side_effect=ValueError):
        assert wants_request_too(silent) is False


def test_one_function_in_two_roles_is_read_twice():
    """A function that is a method elsewhere takes one argument more there."""

    def function(user, request):
        return True

    class Role:
        ask = function

    assert wants_request_too(function) is True
    assert wants_request_too(Role().ask) is False


class Unspeakable:
    """Cannot even be printed."""

    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        (is_admin, "is_admin"),
        (functools.partial(functools.partial(is_admin)), "is_admin"),
        (Callable().__call__, "__call__"),
        (Has("x"), "Has(permission='x')"),
        (Unspeakable(), "<Unspeakable>"),
    ],
)
def test_requirements_have_names(requirement, name):
    """A function's own, else the repr; never an error."""
    assert describe(requirement) == name
