"""Overrides and additions: containers, managers, and where their contexts are seen."""

import asyncio
import contextvars
import threading

import pytest
from tests.unit.authz.asking import ADMIN, GUEST, Counting, Has, no, yes

from licet.authz import (
    Additional,
    AdditionalManager,
    Allows,
    And,
    Not,
    Override,
    OverrideManager,
    Permission,
    current_additions,
    current_overrides,
)
from licet.authz.requirements._contexts import _stacks, _use, drop_innermost, innermost

KINDS = [
    (Override, OverrideManager, "override", "overrides", current_overrides),
    (Additional, AdditionalManager, "additional", "additional", current_additions),
]


class Kind:
    """Overrides or additions, by the names that both have."""

    def __init__(self, container, manager, name, attribute, current):
        self.of, self.manager_class, self.name = container, manager, name
        self.attribute, self.proxy = attribute, current

    def manager(self, allows=None):
        return getattr(allows, self.attribute) if allows else self.manager_class()

    def block(self, manager, context, **options):
        return getattr(manager, self.name)(context, **options)


@pytest.fixture(params=KINDS, ids=["override", "additional"])
def kind(request):
    """Each test runs for overrides and for additions."""
    return Kind(*request.param)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """Each test in a fresh context variable, so that what it pushes is its own."""
    token = _stacks.set({})
    yield
    _stacks.reset(token)


def test_containers_hold_requirements(kind):
    """`add`, `remove`, `in`, `len`, iteration and truth, with one or more at a time."""
    some = kind.of(yes)
    some.add(no, Has("x"))
    assert set(some) == {yes, no, Has("x")}
    assert len(some) == 3
    some.remove(yes, Has("x"), Has("never in it"))
    assert list(some) == [no]
    assert no in some
    assert yes not in some
    assert bool(some)
    assert not kind.of()
    assert repr(kind.of(Has("x"))) == f"{kind.of.__name__}(Has(permission='x'))"


@pytest.mark.parametrize("method", ["add", "remove"])
def test_at_least_one_requirement_is_needed(kind, method):
    """`add` and `remove` without any are mistakes."""
    with pytest.raises(TypeError):
        getattr(kind.of(), method)()


def test_containers_tell_in_words():
    """`is_overridden` and `is_added` say what `in` says."""
    assert Override(Has("x")).is_overridden(Has("x"))
    assert not Override().is_overridden(yes)
    assert Additional(Has("x")).is_added(Has("x"))


def test_containers_combine_into_new_ones(kind):
    """`+` and `-` change neither side."""
    one, two = kind.of(yes, no), kind.of(no, Has("x"))
    assert one + two == kind.of(yes, no, Has("x"))
    assert one - two == kind.of(yes)
    assert (one, two) == (kind.of(yes, no), kind.of(no, Has("x")))
    assert one != two


def test_containers_combine_in_place(kind):
    """`+=` and `-=` change the container itself, by however many."""
    some = same = kind.of(yes)
    some += kind.of(no, Has("x"), Has("y"))
    some += kind.of()
    assert same == kind.of(yes, no, Has("x"), Has("y"))
    some -= kind.of(yes, no)
    assert same == kind.of(Has("x"), Has("y"))


@pytest.mark.parametrize("operator", ["__add__", "__iadd__", "__sub__", "__isub__", "__eq__"])
def test_the_two_kinds_do_not_mix(operator):
    """An override and an addition can be neither combined nor compared."""
    assert getattr(Override(), operator)(Additional()) is NotImplemented
    assert Override() != Additional()


def test_containers_of_a_subclass_mix(kind):
    """With those of its base, both ways."""
    special = type("Special", (kind.of,), {})
    assert special(yes) + kind.of(no) == kind.of(yes, no)
    assert kind.of(yes) == special(yes)


def test_containers_have_no_hash(kind):
    """What they hold changes."""
    with pytest.raises(TypeError):
        hash(kind.of())


def test_outside_a_request_there_is_no_context(kind):
    """Neither for a manager, nor for the proxy."""
    assert kind.manager().current is None
    assert kind.proxy == None  # noqa: E711 - a proxy of None


def test_push_and_pop_nest(kind):
    """The innermost counts, and the one around it after that."""
    manager, outer, inner = kind.manager(), kind.of(yes), kind.of(no)
    manager.push(outer)
    manager.push(inner)
    assert manager.current is inner
    assert kind.proxy == inner
    manager.pop()
    assert manager.current is outer
    manager.pop()
    assert manager.current is None


@pytest.mark.parametrize("own", [yes, None])
def test_use_parent_combines(kind, own):
    """The current context and the new one make a third; neither is changed."""
    manager, parent = kind.manager(), kind.of(*filter(None, [own]))
    child = kind.of(no)
    with kind.block(manager, parent), kind.block(manager, child, use_parent=True) as both:
        assert both == kind.of(*parent, no)
        assert manager.current is both
    assert (len(parent), list(child)) == (1 if own else 0, [no])


def test_use_parent_without_a_parent(kind):
    """Then the new one counts alone."""
    manager, own = kind.manager(), kind.of(yes)
    manager.push(own, use_parent=True)
    assert manager.current is own


def test_a_pop_too_many_is_told(kind):
    """There is nothing to end."""
    with pytest.raises(RuntimeError, match=f"popped wrong {kind.name} context"):
        kind.manager().pop()


def test_dropping_nothing_does_nothing(app, kind):
    """Outside of a request, and in one that did not begin."""
    drop_innermost(kind.name)
    with app.test_request_context("/"):
        drop_innermost(kind.name)
        assert innermost(kind.name) is None


def test_a_pop_by_another_is_told(kind):
    """The context stays for the one who pushed it."""
    mine, other = kind.manager(), kind.manager()
    mine.push(kind.of(yes))
    with pytest.raises(RuntimeError, match=f"popped wrong {kind.name} context"):
        other.pop()
    assert mine.current == kind.of(yes)
    mine.pop()


def test_the_kinds_have_stacks_of_their_own():
    """An addition on top does not hinder an override from being popped."""
    overrides, additions = OverrideManager(), AdditionalManager()
    overrides.push(Override(yes))
    additions.push(Additional(no))
    overrides.pop()
    assert additions.current == Additional(no)


def test_a_block_ends_when_it_raises(kind):
    """Whatever happens in it, what it pushed is gone."""
    manager = kind.manager()
    with pytest.raises(LookupError), kind.block(manager, kind.of(yes)):
        raise LookupError
    assert manager.current is None


def test_a_block_ends_what_was_left_in_it(kind):
    """What the same manager pushed and forgot does not keep the block's context alive."""
    manager = kind.manager()
    with kind.block(manager, kind.of(yes)):
        manager.push(kind.of(no))
    assert manager.current is None


def test_a_block_tells_of_anothers_context(kind):
    """Its own context ends all the same, and the other's stays."""
    manager, other = kind.manager(), kind.manager()
    left = pytest.raises(RuntimeError, match="another manager")
    with left, kind.block(manager, kind.of(yes)):
        other.push(kind.of(no))
    assert manager.current is None
    assert other.current == kind.of(no)


def test_a_block_whose_context_was_popped_tells(kind):
    """Somebody popped once too often in it."""
    manager = kind.manager()
    with pytest.raises(RuntimeError, match="popped within"), kind.block(manager, kind.of(yes)):
        manager.pop()


def test_a_block_of_the_other_kind_is_no_matter():
    """Blocks of overrides and of additions may cross."""
    overrides, additions = OverrideManager(), AdditionalManager()
    with overrides.override(Override(yes)):
        additions.push(Additional(no))
    assert additions.current == Additional(no)


@pytest.fixture
def allows(app):
    """An app's Allows, whose caller may do nothing."""
    return Allows(app, identity_loader=lambda: GUEST)


def in_view(app, function):
    """What `function` returns when it is a view, asked over HTTP."""
    found = []
    app.add_url_rule("/", view_func=lambda: found.append(function()) or "done")
    assert app.test_client().get("/").status_code == 200
    return found[0]


def test_a_request_has_an_empty_pair(app, allows, kind):
    """The manager's and the proxy's are one, and new in each request."""
    app.add_url_rule("/", view_func=lambda: "done")
    seen = []

    @app.before_request
    def look():
        seen.append(kind.manager(allows).current)
        assert seen[-1] is kind.manager(allows).current
        assert seen[-1] == kind.of()
        kind.proxy.add(yes)
        assert list(seen[-1]) == [yes]

    for _ in range(2):
        app.test_client().get("/")
    assert seen[0] is not seen[1]


def test_outer_contexts_are_not_seen_in_a_request(app, allows, kind):
    """A request begins anew, and leaves what was pushed outside as it was."""
    kind.manager(allows).push(kind.of(yes))
    assert in_view(app, lambda: list(kind.manager(allows).current)) == []
    assert kind.manager(allows).current == kind.of(yes)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("is_told", [False, True])
def test_nothing_outlives_a_request(app, allows, kind, fails, is_told):
    """What a view pushes and forgets is gone after it, raise as it may."""
    app.config["PROPAGATE_EXCEPTIONS"] = is_told
    app.add_url_rule("/next", "next", lambda: str(len(kind.manager(allows).current)))

    @app.get("/")
    def view():
        kind.proxy.add(yes)
        kind.manager(allows).push(kind.of(no))
        kind.manager().push(kind.of(no))
        if fails:
            raise LookupError
        return "done"

    if fails and is_told:
        with pytest.raises(LookupError):
            app.test_client().get("/")
    else:
        app.test_client().get("/")
    assert kind.manager(allows).current is None
    assert innermost(kind.name) is None
    assert app.test_client().get("/next").text == "0"


@pytest.mark.parametrize("how", ["added", "pushed"])
def test_contexts_hold_for_all_that_follows_the_view(app, kind, how):
    """In functions that run after the request, registered before the Allows and after it."""
    seen = []

    def look(response=None):
        seen.append(list(kind.proxy))
        return response

    for register in (app.after_request, app.teardown_request):
        register(look)
    allows = Allows(app)
    for register in (app.after_request, app.teardown_request):
        register(look)
    opens = {"added": lambda: kind.proxy.add(yes), "pushed": lambda: push(kind, allows)}
    in_view(app, opens[how])
    assert seen == [[yes]] * 4


def push(kind, allows):
    kind.manager(allows).push(kind.of(yes))


def test_a_request_not_begun_has_no_context(app, allows, kind):
    """A context that Flask was not asked to start has none, as `test_request_context`."""
    with app.test_request_context("/"):
        assert kind.manager(allows).current is None
        assert kind.proxy == None  # noqa: E711 - a proxy of None
        app.preprocess_request()
        assert kind.manager(allows).current == kind.of()


def test_what_the_request_began_with_can_be_popped(app, allows, kind):
    """Once; then there is none, as with a context that one pushed."""

    def view():
        manager = kind.manager(allows)
        manager.pop()
        assert manager.current is None
        with pytest.raises(RuntimeError):
            manager.pop()

    in_view(app, view)


def test_a_request_that_was_answered_early_has_none(app, kind):
    """Contexts begin after what was registered before; they end all the same."""
    seen = []
    app.before_request(lambda: seen.append(kind.proxy == None) or "early")  # noqa: E711
    Allows(app)
    assert app.test_client().get("/").text == "early"
    assert seen == [True]


def test_another_allows_has_no_part_in_the_request(app, allows, kind):
    """One that was not attached to the app sees what it pushes, and no more."""
    stranger = kind.manager()

    def view():
        assert stranger.current is None
        stranger.push(kind.of(no))
        assert kind.proxy == kind.of()
        with pytest.raises(RuntimeError):
            kind.manager(allows).pop()

    in_view(app, view)


def clear(allows, kind):
    {"override": allows.clear_all_overrides, "additional": allows.clear_all_additional}[kind.name]()


def test_all_contexts_can_be_cleared(app, allows, kind):
    """In a request with what it began with, outside with what was pushed there."""

    def view():
        kind.manager(allows).push(kind.of(yes))
        clear(allows, kind)
        return kind.manager(allows).current

    kind.manager(allows).push(kind.of(no))
    assert in_view(app, view) is None
    kind.manager(allows).push(kind.of(no))
    clear(allows, kind)
    assert kind.manager(allows).current is None


def test_clearing_stops_at_anothers_context(allows, kind):
    """That is told, and stays."""
    other = kind.manager()
    other.push(kind.of(yes))
    kind.manager(allows).push(kind.of(no))
    with pytest.raises(RuntimeError):
        clear(allows, kind)
    assert kind.manager(allows).current is None
    assert other.current == kind.of(yes)


def test_two_allows_on_one_app_have_their_own_pairs(app, kind):
    """What one of them pushes or adds does not reach the other."""
    first, second = Allows(app), Allows(app)

    def view():
        kind.manager(first).current.add(yes)
        kind.manager(first).push(kind.of(no))
        assert kind.proxy == kind.manager(second).current == kind.of()

    in_view(app, view)


def test_an_override_switches_a_requirement_off(allows):
    """At the top, in combinators, by equality, and no longer than it counts."""
    with allows.overrides.override(Override(Has("x"))):
        assert allows.fulfill([Has("x")])
        assert allows.fulfill([And(yes, Not(And(Has("x"))))]) is False
        assert allows.fulfill([And(yes, And(Has("x"), yes))])
        assert not allows.fulfill([Has("y")])
    assert not allows.fulfill([Has("x")])


def test_a_combinator_can_be_overridden_as_a_whole(allows):
    """By one that is equal to it."""
    with allows.overrides.override(Override(And(no, Has("x")))):
        assert allows.fulfill([And(no, Has("x"))])
        assert not allows.fulfill([And(Has("x"), no)])


def test_an_addition_is_asked_once(allows):
    """By every check, and not twice where the check asks it anyway."""
    added = Counting()
    with allows.additional.additional(Additional(added)):
        assert allows.fulfill([])
        assert added.asked == 1
        assert allows.fulfill([added])
        assert added.asked == 2
    with allows.additional.additional(Additional(no)):
        assert not allows.fulfill([yes])


def test_overrides_go_before_additions(allows):
    """What is both added and switched off is not asked."""
    allows.additional.push(Additional(Has("foo")))
    allows.overrides.push(Override(Has("foo")))
    assert allows.fulfill([])


def test_additions_that_cannot_be_asked_deny(allows, caplog):
    """A class that was added lets nobody pass, and the log says so."""
    with allows.additional.additional(Additional(Has)):
        assert not allows.fulfill([])
    assert "Requirement Has was added in vain: Has is a class" in caplog.text


def test_requirements_without_a_hash_are_asked(allows):
    """Nobody can have overridden them."""

    class Hashless(Counting):
        __hash__ = None

    asked = Hashless()
    with allows.overrides.override(Override(yes)):
        assert allows.fulfill([asked, And(asked)])
    assert asked.asked == 2


def test_requirements_that_ask_others_do_so_under_the_same_overrides(app):
    """Also where the app's registered Allows is another one."""
    mine, registered = Allows(identity_loader=lambda: GUEST), Allows(app)

    def asking(user):
        return And(Has("x"))(user)

    with app.app_context():
        with mine.overrides.override(Override(Has("x"))):
            assert mine.fulfill([asking])
        with registered.overrides.override(Override(Has("x"))):
            assert not mine.fulfill([asking])
            assert And(Has("x"))(GUEST)


def test_in_an_app_the_proxies_are_of_its_allows(app, kind):
    """Whatever others push; without an Allows, what was pushed last."""
    allows, other = Allows(), kind.manager()
    other.push(kind.of(no))
    with app.app_context():
        assert kind.proxy == kind.of(no)
        allows.init_app(app)
        assert kind.proxy == None  # noqa: E711 - a proxy of None
        kind.manager(allows).push(kind.of(yes))
        assert kind.proxy == kind.of(yes)


@pytest.mark.parametrize("how", ["pushed", "asked for"])
def test_the_first_context_of_a_process_counts(app, allows, how, monkeypatch):
    """Until then nobody looks for any, and a request ends as it began."""
    monkeypatch.setattr(_use, "ever", False)

    def opening():
        if how == "pushed":
            allows.overrides.push(Override(no))
        else:
            current_overrides.add(no)
        return str(bool(Permission(no)))

    app.add_url_rule("/plain", "plain", lambda: str(bool(Permission(no))))
    app.add_url_rule("/opening", "opening", opening)
    client = app.test_client()
    assert client.get("/plain").text == "False"
    assert not _use.ever
    assert client.get("/opening").text == "True"
    assert client.get("/plain").text == "False"


def test_threads_do_not_see_each_other(allows):
    """What one pushes outside of requests does not count in another."""
    allows.overrides.push(Override(no))
    found = []
    thread = threading.Thread(target=lambda: found.append(allows.fulfill([no], ADMIN)))
    thread.start()
    thread.join(10)
    assert found == [False]
    assert allows.fulfill([no], ADMIN)


def test_tasks_do_not_see_each_other(allows):
    """What one pushes counts in it and in those it starts, and nowhere else."""

    async def overriding(inside, outside):
        with allows.overrides.override(Override(no)):
            inside.set()
            await outside.wait()
            return allows.fulfill([no])

    async def looking(inside, outside):
        await inside.wait()
        answer = allows.fulfill([no])
        outside.set()
        return answer

    async def both():
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(overriding(*events), looking(*events))

    assert asyncio.run(both()) == [True, False]


def test_tasks_of_a_request_share_its_pair(app, allows):
    """As in the original, what one of them adds there counts for all; what it pushes does not."""

    def view():
        def task():
            allows.overrides.current.add(no)
            allows.overrides.push(Override(Has("x")))

        contextvars.copy_context().run(task)
        return allows.fulfill([no]), allows.fulfill([Has("x")])

    assert in_view(app, view) == (True, False)


def test_a_request_in_a_request_has_its_own(app, allows):
    """Contexts of the outer request neither reach the inner one nor end with it."""
    app.add_url_rule("/in", "inner", lambda: str(bool(Permission(no))))

    def view():
        with allows.overrides.override(Override(no)):
            inner = app.test_client().get("/in").text
            return inner, bool(Permission(no))

    assert in_view(app, view) == ("False", True)
