"""Requirements, alone and combined, asked without a guard."""

import copy
import operator
import pickle
import warnings

import pytest
from flask import request
from tests.unit.authz.asking import ADMIN, GUEST, Counting, Has, broken, is_admin, no, yes
from werkzeug.exceptions import NotFound

from licet.authz import (
    Additional,
    Allows,
    And,
    C,
    ConditionalRequirement,
    Not,
    Or,
    Override,
    OverrideManager,
    Requirement,
    wants_request,
)
from licet.errors import InvalidRequirement


class Quiet(Requirement):
    """Has no repr and no equality of its own."""

    def fulfill(self, user):
        return True


class Both(Requirement):
    """Takes the request, as long ago."""

    def fulfill(self, user, request):
        return request


def test_fulfill_must_be_written():
    """The base class cannot be used by itself, nor can a class that names its method otherwise."""
    with pytest.raises(TypeError, match="fulfill"):
        type("IsAdmin", (Requirement,), {"requires": yes})()


def test_super_has_no_answer():
    """A subclass that asks the abstract method gets an error, not a truth."""
    asking = type("Asking", (Requirement,), {"fulfill": lambda self, user: super(Quiet, self)})()
    with pytest.raises(NotImplementedError):
        Requirement.fulfill(asking, ADMIN)


@pytest.mark.parametrize(("user", "answer"), [(ADMIN, True), (GUEST, False)])
def test_an_instance_can_be_called(user, answer):
    """Outside of a guard a requirement is a function of the identity."""
    assert Has("view")(user) is answer


@pytest.mark.parametrize("given", [(), (1,)])
def test_a_call_hands_the_request_on(app, given):
    """Called with a request it passes that on; without one, the current one."""
    with app.test_request_context("/here"), pytest.deprecated_call():
        assert Both()(ADMIN, *given) is True


def test_the_default_repr_names_the_class():
    """So that logs and warnings tell which it was."""
    assert repr(Quiet()) == "<Quiet()>"


@pytest.mark.parametrize(
    ("made", "op", "until", "negated"),
    [
        (C(yes), operator.and_, None, None),
        (ConditionalRequirement(yes), operator.and_, None, None),
        (And(yes), operator.and_, False, None),
        (Or(yes), operator.or_, True, None),
        (Not(yes), operator.and_, None, True),
        (C(yes, op=operator.xor, until=False, negated=True), operator.xor, False, True),
    ],
)
def test_what_is_combined_can_be_read(made, op, until, negated):
    """A combinator tells what it was made of."""
    assert (made.requirements, made.op, made.until, made.negated) == ((yes,), op, until, negated)


@pytest.mark.parametrize("name", ["requirements", "op", "until", "negated"])
def test_what_is_combined_stays(name):
    """A combinator that guards something already cannot be changed behind its back."""
    with pytest.raises(AttributeError):
        setattr(And(yes), name, None)


A = C(yes)


@pytest.mark.parametrize(
    ("made", "meant"), [(A & no, And(A, no)), (A | no, Or(A, no)), (~A, Not(A))]
)
def test_operators_are_shortcuts(made, meant):
    """`&`, `|` and `~` make And, Or and Not."""
    assert made == meant
    assert hash(made) == hash(meant)


def test_equality_looks_at_all_parts():
    """Two combinators are the same when all that was said is."""
    assert And(Has("a"), no) == And(Has("a"), no)
    assert And(yes) != Or(yes)
    assert And(yes) != And(no)
    assert And(yes) != yes


def test_a_combinator_that_answers_otherwise_is_another():
    """Added beside an equal one it is asked, and an override of the one does not lift it."""

    class Strict(C):
        def fulfill(self, user):
            return False

    allows = Allows(identity_loader=lambda: ADMIN)
    assert C(yes) != Strict(yes) != C(yes)
    assert Strict(yes) == Strict(yes)
    with allows.additional.additional(Additional(Strict(yes))):
        assert not allows.fulfill([C(yes)])
    with allows.overrides.override(Override(C(yes))):
        assert not allows.fulfill([Strict(yes)])


@pytest.mark.parametrize("empty", [C(), And(), Or(), Not(), C(op=operator.xor, negated=True)])
def test_of_nothing_it_is_true(empty):
    """A combinator without requirements lets everybody pass."""
    assert empty(GUEST) is True


TABLE = [
    (C(yes, yes), True),
    (C(yes, no), False),
    (And(yes, yes, no), False),
    (And(yes, yes), True),
    (Or(no, no, yes), True),
    (Or(no, no), False),
    (Not(yes), False),
    (Not(no), True),
    (Not(yes, no), True),
    (Not(yes, yes), False),
    (C(yes, no, op=operator.xor), True),
    (C(yes, yes, op=operator.xor), False),
    (C(yes, yes, op=operator.xor, negated=True), True),
    (C(no, yes, op=operator.or_, until=False), False),
    (C(yes, no, yes, op=operator.xor, until=True), True),
    (C(yes, no, op=operator.or_, until=None), True),
    (C(yes, no, op=lambda a, b: 0), False),
    (C(Has("view"), Has("edit"), op=operator.or_, until=1), True),
    (And(And(yes), Or(no, Not(no))), True),
]


@pytest.mark.parametrize(("combined", "answer"), TABLE, ids=repr)
def test_combinators_answer(combined, answer):
    """By `op`, `until` and `negated`, nested as one likes."""
    assert combined(ADMIN) is answer
    assert combined.fulfill(ADMIN) is answer


@pytest.mark.parametrize(
    ("combine", "first", "asked"),
    [
        (And, False, 0),
        (And, True, 1),
        (Or, True, 0),
        (Or, False, 1),
        (C, False, 1),
        (Not, False, 1),
    ],
)
def test_asking_ends_when_the_answer_is_known(combine, first, asked):
    """And stops at the first False, Or at the first True, the others ask all."""
    second = Counting()
    combine(Counting(first), second)(ADMIN)
    assert second.asked == asked


@pytest.mark.parametrize("bad", [Has, int, "admin", None, 3], ids=repr)
def test_what_cannot_be_asked_is_refused_when_combined(bad):
    """Classes and things that cannot be called make no requirement."""
    with pytest.raises(TypeError):
        And(yes, bad)


@pytest.mark.parametrize("combined", [And(broken), Or(no, broken), Not(broken), ~C(broken)])
def test_without_a_guard_an_error_is_told(combined):
    """Called by itself, a combinator says which requirement gave no answer, and raises from it."""
    with pytest.raises(InvalidRequirement, match="broken raised LookupError") as caught:
        combined(ADMIN)
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.requirement == "broken"


def test_an_op_that_gives_no_answer_is_told():
    """The same holds for what joins two answers."""
    with pytest.raises(InvalidRequirement, match="returned a NotImplementedType"):
        C(yes, no, op=lambda _a, _b: NotImplemented)(ADMIN)


def test_an_http_error_is_let_through():
    """What a requirement aborts with is the response."""

    def hidden(_user):
        raise NotFound

    with pytest.raises(NotFound):
        Not(hidden)(ADMIN)


def test_the_first_cause_is_told():
    """A requirement that asks others by itself is not blamed for theirs."""

    class Asking(Requirement):
        def fulfill(self, user):
            return not And(broken)(user)

    with pytest.raises(InvalidRequirement, match="Requirement broken raised"):
        Not(Asking())(ADMIN)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (And(is_admin, Has("x")), "And(is_admin, Has(permission='x'))"),
        (Or(is_admin, Not(is_admin)), "Or(is_admin, Not(is_admin))"),
        (C(is_admin), "C(is_admin, op=and_, until=None, negated=None)"),
    ],
)
def test_a_combinator_reads_as_it_is_written(made, text):
    """Its repr is what one would write."""
    assert repr(made) == text


def test_combinators_can_be_copied_and_pickled():
    """Also after they were asked."""
    asked = And(Has("view"), Not(Has("edit")))
    assert asked(ADMIN)
    for other in (copy.deepcopy(asked), pickle.loads(pickle.dumps(asked))):
        assert other == asked
        assert other(ADMIN)


def test_a_requirement_under_way_can_be_mocked(monkeypatch):
    """A test may replace `fulfill` after the combinator was compiled."""
    asked = And(Has("view"))
    assert not asked(GUEST)
    monkeypatch.setattr(Has, "fulfill", lambda self, user: True)
    assert asked(GUEST)


class Upside(ConditionalRequirement):
    """A combinator that answers in its own way."""

    def fulfill(self, user):
        return not super().fulfill(user)


class Aside(ConditionalRequirement):
    """One that answers when it is called, and not by `fulfill`."""

    def __call__(self, user):
        return False


def test_subclasses_may_answer_their_own_way():
    """An own `fulfill` or `__call__` counts, alone and as a part of others."""
    assert Upside(yes)(ADMIN) is False
    assert And(Upside(no))(ADMIN) is True
    assert And(Aside(yes))(ADMIN) is False
    assert isinstance(Upside.And(yes, no), Upside)


def test_an_own_call_goes_before_fulfill():
    """A class with both is asked by being called, as any other object."""

    class Called(Quiet):
        def __call__(self, user):
            return "view" in user.permissions

    assert And(Called())(ADMIN) is True
    assert And(Called())(GUEST) is False


def test_outside_an_app_the_innermost_override_counts():
    """What was pushed last leaves out requirements in combinators too, however deep."""
    manager = OverrideManager()
    with manager.override(Override(no)):
        assert And(no, yes).fulfill(ADMIN)
        assert And(And(yes, Or(no))).fulfill(ADMIN)
        assert Not(no).fulfill(ADMIN)
    assert not And(no, yes).fulfill(ADMIN)


def test_wants_request_makes_a_function_of_the_identity(app):
    """The current request is passed on, without a warning and past any default."""

    @wants_request
    def on_get(user, request="none"):
        return request.method == "GET"

    with app.test_request_context("/"), warnings.catch_warnings():
        assert And(on_get)(ADMIN)
    with app.test_request_context("/", method="POST"):
        assert not And(on_get)(ADMIN)
    assert on_get.__name__ == "on_get"


def test_wants_request_changes_a_class(app):
    """All its instances then take the identity alone."""

    @wants_request
    class OnGet(Requirement):
        def fulfill(self, user, request="none"):
            return request.method == "GET"

    with app.test_request_context("/"):
        assert OnGet()(ADMIN)
        assert Or(no, OnGet())(ADMIN)


def test_wants_request_leaves_abstract_classes_abstract():
    """A class without `fulfill` still needs one."""
    base = wants_request(type("Base", (Requirement,), {}))
    with pytest.raises(TypeError):
        base()


@pytest.mark.parametrize("bad", [type("Other", (), {}), "text", None])
def test_wants_request_refuses_the_rest(bad):
    """Other classes, and what cannot be called."""
    with pytest.raises(TypeError):
        wants_request(bad)


def test_the_request_is_flasks(app):
    """What a requirement gets is the proxy that one would import."""
    seen = []
    with app.test_request_context("/"), pytest.deprecated_call():
        assert not And(lambda user, request: seen.append(request))(ADMIN)
    assert seen[0] is request
