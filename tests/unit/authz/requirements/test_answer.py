"""What is an answer, what only looks like one, and what the log tells of it."""

from __future__ import annotations

import asyncio
import functools
import logging
from concurrent.futures import Future

import pytest
from sqlalchemy import ForeignKey, orm
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from tests.unit.authz.asking import ADMIN, Has, User, as_coroutine, broken, later, no, yes
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.local import LocalProxy
from werkzeug.wrappers import Response

from licet.authz import Additional, Allows, And, C, Not, Or, Requirement
from licet.authz.requirements._answer import _told, truth_of
from licet.errors import InvalidRequirement, InvalidToken


def giving(result):
    """A requirement with this result."""

    def answers(_user):
        return result

    return answers


def generator():
    yield True


async def async_generator():
    yield True


class Truthless:
    """Has no truth value."""

    def __bool__(self):
        raise ValueError("neither nor")


class Base(orm.DeclarativeBase):
    pass


class Group(Base):
    __tablename__ = "group"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    members: orm.DynamicMapped[Member] = orm.relationship("Member")


class Member(Base):
    __tablename__ = "member"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    group_id: orm.Mapped[int] = orm.mapped_column(ForeignKey("group.id"))


class Awaitable:
    """Could be awaited."""

    def __await__(self):
        return iter(())


INVALID = {
    "generator": generator(),
    "async generator": async_generator(),
    "awaitable": Awaitable(),
    "iterator": map(str, [1]),
    "class": Has,
    "function": yes,
    "builtin": len,
    "method": ADMIN.permissions.issubset,
    "partial": functools.partial(yes),
    "requirement": Has("view"),
    "combinator": C(yes),
    "NotImplemented": NotImplemented,
    "exception": Forbidden(),
    "response": Response("no"),
    "truthless": Truthless(),
    "future": Future(),
    "query": orm.Query(Member),
    "query of a collection": Group(id=1).members,
    "result": IteratorResult(SimpleResultMetaData(["id"]), iter([])),
    "proxy of nothing": LocalProxy(lambda: later),
}
BAD = {
    **{name: giving(result) for name, result in INVALID.items()},
    "coroutine": as_coroutine,
    "raising": broken,
    "raising TypeError": lambda user: user + 1,
}
SHAPES = {
    "alone": lambda bad: bad,
    "And": lambda bad: And(yes, bad),
    "Or": lambda bad: Or(no, bad),
    "Or before": lambda bad: Or(bad, yes),
    "Not": Not,
    "Not of Not": lambda bad: Not(Not(bad)),
    "deep": lambda bad: Or(And(Not(Or(no, C(bad))), yes), yes),
    "negated": lambda bad: C(bad, no, negated=True),
    "xor": lambda bad: C(yes, bad, op=lambda a, b: a != b),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bad", BAD)
def test_an_invalid_answer_denies_the_whole_check(bad, shape, caplog):
    """However deep it stands, and under a negation, nobody passes; the log has one line."""
    allows = Allows(identity_loader=lambda: ADMIN)
    assert allows.fulfill([yes, SHAPES[shape](BAD[bad])]) is False
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "licet.authz")


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        *((None, False), (0, False), ("", False), ([], False), ({}, False)),
        *((1, True), ("x", True), ([0], True), (object(), True), (ADMIN, True), (0.5, True)),
        *((LocalProxy(lambda: ADMIN), True), (LocalProxy(lambda: None), False)),
    ],
)
def test_other_results_are_read_by_bool(result, answer):
    """None is False, and what is not empty is True, alone and combined."""
    allows = Allows(identity_loader=lambda: ADMIN)
    for shape in (giving(result), And(giving(result)), Or(giving(result)), C(giving(result))):
        assert allows.fulfill([shape]) is answer
    assert allows.fulfill([Not(giving(result))]) is not answer


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (broken, "Requirement broken raised LookupError in asking.py, line "),
        (as_coroutine, "Requirement as_coroutine returned a coroutine; access is denied"),
        (Not(giving(Has)), "Requirement answers returned an ABCMeta"),
        (C(Has("x")) & (lambda user: 1 / 0), "raised ZeroDivisionError in test_answer.py"),
    ],
)
def test_the_log_names_the_requirement(bad, text, caplog):
    """And what went wrong where."""
    identity = User("ann", frozenset({"x", "secret"}))
    Allows(identity_loader=lambda: identity).fulfill([bad])
    assert text in caplog.text


def test_the_log_tells_nothing_of_the_identity(caplog):
    """The text of an exception may quote the caller, and stays out."""
    allows = Allows(identity_loader=lambda: User("s3cr3t"))
    allows.fulfill([broken])
    assert "s3cr3t" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("error", [NotFound, InvalidToken, Forbidden(response=Response("x"))])
def test_an_http_error_is_the_response(error, caplog):
    """It is neither an answer nor a mistake."""

    def raising(_user):
        raise error

    allows = Allows(identity_loader=lambda: ADMIN)
    for shape in SHAPES.values():
        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            allows.fulfill([shape(raising)])
    assert not caplog.records


class Raising(Requirement):
    """Raises what it was made with."""

    def __init__(self, error):
        self.error = error

    def fulfill(self, user):
        raise self.error


class RaisingWithRequest(Raising):
    """The same, as long ago."""

    def fulfill(self, user, request):
        raise self.error


class RaisingAsTruth:
    """Raises when it is asked for its truth."""

    def __init__(self, error):
        self.error = error

    def __bool__(self):
        raise self.error


WAYS = {
    "function": lambda error: Raising(error).fulfill,
    "function with request": lambda error: RaisingWithRequest(error).fulfill,
    "instance": Raising,
    "instance with request": RaisingWithRequest,
    "truth": lambda error: giving(RaisingAsTruth(error)),
    "op": lambda error: C(yes, no, op=RaisingWithRequest(error).fulfill),
}


@pytest.mark.filterwarnings("ignore:.*Passing request:DeprecationWarning")
@pytest.mark.parametrize("way", WAYS)
def test_errors_are_told_apart_wherever_they_are_raised(way):
    """An HTTP error goes on, any other denies."""
    allows = Allows(identity_loader=lambda: ADMIN)
    with pytest.raises(NotFound):
        allows.fulfill([Not(WAYS[way](NotFound()))])
    assert allows.fulfill([Not(WAYS[way](LookupError()))]) is False


def test_what_ends_the_program_ends_it():
    """Interrupts are not taken for answers."""

    def interrupted(_user):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Allows(identity_loader=lambda: ADMIN).fulfill([Not(interrupted)])


def test_too_deep_a_combinator_denies(caplog):
    """A check that does not come to its end lets nobody pass."""

    def endless(user):
        return endless(user)

    assert not Allows(identity_loader=lambda: ADMIN).fulfill([Not(endless)])
    assert "endless raised RecursionError" in caplog.text


def test_what_fails_beside_requirements_denies(caplog):
    """An equality that raises, asked for an addition, is logged with what was checked."""

    class Unequal:
        __hash__ = object.__hash__

        def __eq__(self, other):
            if other is yes:
                raise LookupError
            return self is other

        def __call__(self, user):
            return True

    allows = Allows(identity_loader=lambda: ADMIN)
    with allows.additional.additional(Additional(yes)):
        assert not allows.fulfill([Unequal(), no])
    assert "Unequal object" in caplog.text
    assert "raised LookupError" in caplog.text


def test_a_running_task_is_no_answer():
    """What was started and not awaited is as invalid as a coroutine."""

    async def asked():
        task = asyncio.ensure_future(later(ADMIN))
        with pytest.raises(InvalidRequirement):
            truth_of(task, "name")
        return await task

    assert asyncio.run(asked())


def test_an_error_without_a_place_is_told():
    """An exception that was never raised has a kind, at least."""
    assert _told(ValueError()) == "raised ValueError"


def test_an_error_of_what_is_asked_with_the_request_denies(caplog):
    """A requirement of identity and request is told as one of the identity alone is."""

    def broken(user, request):
        raise LookupError

    with pytest.warns(DeprecationWarning, match="request"):
        assert not Allows(identity_loader=lambda: ADMIN).fulfill([broken])
    assert "broken raised LookupError" in caplog.text
