"""Programs for Flask-Allows run when only their import root is changed."""

from __future__ import annotations

import importlib
import operator
from dataclasses import dataclass, field
from typing import Any

import attr
import pytest
from flask import (
    Blueprint,
    Flask,
    abort,
    flash,
    get_flashed_messages,
    redirect,
    render_template_string,
    request,
)
from flask.testing import FlaskClient
from flask.views import MethodView, View
from werkzeug.exceptions import Forbidden

from licet.compat.flask_allows import (
    Additional,
    AdditionalManager,
    Allows,
    And,
    C,
    Not,
    Or,
    Override,
    OverrideManager,
    Permission,
    Requirement,
    allows,
    current_additions,
    current_overrides,
    exempt_from_requirements,
    guard_entire,
    requires,
    wants_request,
)
from licet.compat.flask_allows.additional import _additional_ctx_stack
from licet.compat.flask_allows.overrides import _override_ctx_stack

NAMES = {
    "": "Additional AdditionalManager Allows And C ConditionalRequirement Not Or Override "
    "OverrideManager Permission Requirement allows current_additions current_overrides "
    "exempt_from_requirements guard_entire requires wants_request",
    "additional": "Additional AdditionalManager current_additions",
    "allows": "Allows allows",
    "overrides": "Override OverrideManager current_overrides",
    "permission": "Permission",
    "requirements": "And C ConditionalRequirement Not Or Requirement wants_request",
    "views": "exempt_from_requirements guard_entire requires",
}


@pytest.mark.parametrize("module", NAMES)
def test_the_public_names_are_there(module: str) -> None:
    """Each module has exactly the names that the original's `__all__` lists."""
    found = importlib.import_module(f"licet.compat.flask_allows.{module}".rstrip("."))
    assert found.__all__ == sorted(NAMES[module].split())
    assert all(hasattr(found, name) for name in found.__all__)


@dataclass
class User:
    """A user of seed document 002's programs."""

    permissions: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    level: str = "user"
    is_authenticated: bool = True


class HasPermission(Requirement):
    """Quickstart, "Creating Requirements"."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def fulfill(self, user: User) -> bool:
        return self.permission in user.permissions


class Has(HasPermission):
    """Of the page on manipulating requirements after the fact."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Has) and self.permission == other.permission

    def __hash__(self) -> int:
        return hash(self.permission)


@attr.s(frozen=True)
class HasWithAttrs(Requirement):
    """The same, as the page proposes to write it."""

    permission = attr.ib()

    def fulfill(self, user: User) -> bool:
        return self.permission in user.permissions


def is_admin(user: User) -> bool:
    return "admin" in user.groups


def user_is_admin(user: User) -> bool:
    return user.level == "admin"


def user_is_logged_in(user: User) -> bool:
    return user.is_authenticated


NOBODY = User(is_authenticated=False)
SOMEBODY = User(permissions={"perm_1"})
ADMIN = User(permissions={"view_admin_panel", "perm_1", "perm_2"}, groups={"admin"}, level="admin")


class Site:
    """An app, and who calls it next."""

    def __init__(self) -> None:
        self.app = Flask("seed")
        self.app.secret_key = "flashes"
        self.user = SOMEBODY
        self.allows = Allows(self.app)
        self.allows.identity_loader(lambda: self.user)

    def get(self, path: str = "/", user: User = SOMEBODY, **options: Any) -> Any:
        self.user = user
        method = options.pop("method", "GET")
        return self.app.test_client().open(path, method=method, **options)

    def status(self, path: str = "/", user: User = SOMEBODY, **options: Any) -> int:
        return int(self.get(path, user, **options).status_code)


@pytest.fixture
def site() -> Site:
    """A new site."""
    return Site()


def test_guarding_routes(site: Site) -> None:
    """Quickstart: functions, instances, and the method of the extension."""

    @site.app.route("/admin")
    @requires(is_admin)
    def admin_section() -> str:
        return "admin_section"

    @site.app.route("/panel")
    @requires(HasPermission("view_admin_panel"))
    def panel() -> str:
        return "panel"

    @site.app.route("/secret")
    @site.allows.requires(is_admin, HasPermission("view_admin_panel"))
    def admin_index() -> str:
        return "Welcome to the super secret club"

    for path in ("/admin", "/panel", "/secret"):
        assert [site.status(path, user) for user in (SOMEBODY, ADMIN)] == [403, 200]


def test_guarding_class_views(site: Site) -> None:
    """Quickstart: the class attribute guards all methods, the decorator one."""

    class SomeView(View):
        decorators = [requires(is_admin)]  # noqa: RUF012 - the page's

        def dispatch_request(self) -> str:
            return "view"

    class SomeMethodView(MethodView):
        def get(self) -> str:
            return "some_template"

        @requires(is_admin)
        def post(self) -> str:
            return "some_template"

    site.app.add_url_rule("/view", view_func=SomeView.as_view("view"))
    site.app.add_url_rule("/methods", view_func=SomeMethodView.as_view("methods"))
    assert [site.status("/view", user) for user in (SOMEBODY, ADMIN)] == [403, 200]
    assert site.status("/methods") == 200
    posts = [site.status("/methods", user, method="POST") for user in (SOMEBODY, ADMIN)]
    assert posts == [403, 200]


def flash_and_redirect(message: str, level: str, endpoint: str) -> Any:
    """Quickstart, as the page means it."""

    def flasher(*_args: Any, **_kwargs: Any) -> Any:
        flash(message, level)
        return redirect(endpoint)

    return flasher


def test_guarding_a_blueprint(site: Site) -> None:
    """Quickstart: a whole blueprint, with a redirect, and one view exempt."""
    admin_area = Blueprint("admin_area", __name__)
    admin_area.before_request(
        guard_entire([is_admin], on_fail=flash_and_redirect("Must be admin", "danger", "/index"))
    )
    admin_area.add_url_rule("/", view_func=lambda: "area", endpoint="area")

    @admin_area.route("/unpermissioned")
    @exempt_from_requirements
    def index() -> str:
        return "index"

    site.app.register_blueprint(admin_area, url_prefix="/admin")
    assert site.get("/admin/").headers["Location"] == "/index"
    assert site.status("/admin/", ADMIN) == 200
    assert site.status("/admin/unpermissioned") == 200
    assert site.status("/admin/nowhere") == 404


def test_on_fail_gets_the_view_args(site: Site) -> None:
    """Quickstart: the message is made of the route's arguments."""

    def flash_formatted_message(message: str, level: str) -> Any:
        def flasher(*_args: Any, **kwargs: Any) -> None:
            flash(message.format(**kwargs), level)

        return flasher

    user_area = Blueprint("users", __name__, url_prefix="/<username>")
    message = "Must be logged in to view {username}'s profile"
    on_fail = flash_formatted_message(message, level="warning")
    user_area.before_request(guard_entire(user_is_logged_in, on_fail=on_fail))
    user_area.add_url_rule("/profile", view_func=lambda username: username, endpoint="profile")
    site.app.register_blueprint(user_area)
    site.app.register_error_handler(403, lambda _error: (get_flashed_messages(), 403))
    response = site.get("/ann/profile", NOBODY)
    assert (response.status_code, response.json) == (
        403,
        ["Must be logged in to view ann's profile"],
    )
    assert site.get("/ann/profile").text == "ann"


def test_guards_apply_one_after_another(site: Site) -> None:
    """`guard_entire` may stand more than once, each with its own answer."""
    bp = Blueprint("admin_panel", __name__)
    bp.before_request(guard_entire([user_is_logged_in], on_fail="login first"))
    bp.before_request(guard_entire([user_is_admin], on_fail="not an admin"))
    bp.add_url_rule("/", view_func=lambda: "panel", endpoint="panel")
    site.app.register_blueprint(bp)
    texts = [site.get("/", user).text for user in (NOBODY, SOMEBODY, ADMIN)]
    assert texts == ["login first", "not an admin", "panel"]


LOGGED_IN_AND = Or(user_is_admin, HasPermission("view_admin_panel"))


@pytest.mark.parametrize(
    ("requirement", "passing"),
    [
        (And(user_is_logged_in, LOGGED_IN_AND), "ADMIN"),
        (Not(user_is_logged_in), "NOBODY"),
        (C(HasPermission("perm_1"), HasPermission("perm_2"), op=operator.xor), "SOMEBODY"),
        (C(user_is_logged_in) & (C(user_is_admin) | C(HasPermission("x"))), "ADMIN"),
        (~C(user_is_logged_in), "NOBODY"),
        (Or(is_admin, And(HasPermission("perm_1"), user_is_admin)), "ADMIN"),
    ],
)
def test_combining_requirements(site: Site, requirement: Any, passing: str) -> None:
    """Requirements: each combination of the page lets the right one pass."""
    site.app.add_url_rule("/", view_func=requires(requirement)(lambda: "in"))
    users = {"NOBODY": NOBODY, "SOMEBODY": SOMEBODY, "ADMIN": ADMIN}
    assert [name for name, user in users.items() if site.status("/", user) == 200] == [passing]


def test_a_class_is_refused() -> None:
    """Requirements, "Danger": the common mistake is told when it is made."""
    with pytest.raises(TypeError, match="Has is a class"):
        requires(Has)


def post_of(view_args: dict[str, Any] | None) -> str:
    post_id = (view_args or {}).get("post_id")
    return post_id or abort(404)


class AllowedToViewPost(Requirement):
    """Transition, before: takes the request."""

    def fulfill(self, user: User, request: Any) -> bool:
        hidden = post_of(request.view_args) == "hidden"
        return "view_hidden_post" in user.permissions if hidden else True


class AllowedToViewPostAlone(Requirement):
    """Transition, after: imports it."""

    def fulfill(self, user: User) -> bool:
        hidden = post_of(request.view_args) == "hidden"
        return "view_hidden_post" in user.permissions if hidden else True


@pytest.mark.parametrize("kind", [AllowedToViewPost, AllowedToViewPostAlone, "wants_request"])
def test_the_transition_to_the_user_alone(site: Site, kind: Any) -> None:
    """All three ways answer alike; only the old one warns, and once."""
    if kind is AllowedToViewPost:
        with pytest.deprecated_call() as warned:
            guard = requires(kind())
        assert len(warned) == 1
    else:
        asked = wants_request(AllowedToViewPost().fulfill) if isinstance(kind, str) else kind()
        guard = requires(asked)

    site.app.add_url_rule("/<post_id>", view_func=guard(lambda post_id: post_id), endpoint="post")
    site.app.add_url_rule("/", view_func=guard(lambda: "none"), endpoint="none")
    assert [site.status(path) for path in ("/", "/hidden", "/open")] == [404, 403, 200]


def test_permission_helper(site: Site) -> None:
    """Helpers: as a condition and as a block."""
    p = Permission(is_admin)

    def passing() -> str:
        if p:
            return "Passed!"
        with p:
            return "never"

    site.app.add_url_rule("/", view_func=passing)
    assert (site.get("/", ADMIN).text, site.status("/")) == ("Passed!", 403)


def test_the_current_allows(site: Site) -> None:
    """`allows` is the app's, and `run` the whole cycle."""
    with site.app.app_context():
        assert allows.fulfill([is_admin], ADMIN)
        assert allows.run([is_admin], on_fail="failed") == "failed"
        with pytest.raises(Forbidden):
            allows.run([is_admin], on_fail="failed", use_on_fail_return=False)


class SorryDave(Exception):
    """Controlling Failure, "Throwing an exception"."""

    def __init__(self) -> None:
        super().__init__("I'm sorry Dave, I'm afraid I can't do that")


@pytest.mark.parametrize("throws", [SorryDave, SorryDave()])
def test_throwing(throws: Any) -> None:
    """A class or an instance, of the extension, a decorator or a permission."""
    app = Flask("seed")
    extension = Allows(app, lambda: NOBODY, throws)
    with app.app_context():
        for guarded in (extension.requires(is_admin), requires(is_admin)):
            with pytest.raises(SorryDave, match="sorry Dave"):
                guarded(lambda: "in")()
        with pytest.raises(SorryDave), Permission(is_admin):
            pytest.fail("entered")
        with pytest.raises(KeyError), Permission(is_admin, throws=KeyError):
            pytest.fail("entered")


def test_overriding(site: Site) -> None:
    """After the fact, "Disabling Requirements": everything the page does."""

    def view() -> str:
        current_overrides.add(is_admin)
        assert current_overrides.is_overridden(is_admin)
        current_overrides.remove(is_admin)
        assert is_admin not in current_overrides
        with site.allows.overrides.override(Override(is_admin)) as overrides:
            assert overrides == current_overrides
            with site.allows.overrides.override(Override(Has("x")), use_parent=True) as both:
                assert is_admin in both
            assert allows.fulfill([is_admin, And(is_admin)])
        return str(allows.fulfill([is_admin]))

    site.app.add_url_rule("/", view_func=view)
    assert site.get().text == "False"


def test_adding(site: Site) -> None:
    """After the fact, "Adding More Requirements": everything the page does."""

    def view() -> str:
        current_additions.add(is_admin)
        assert current_additions.is_added(is_admin)
        assert (len(current_additions), list(current_additions)) == (1, [is_admin])
        assert not allows.fulfill([])
        current_additions.remove(is_admin)
        with site.allows.additional.additional(Additional(is_admin), True) as added:
            assert added.is_added(is_admin)
        return str(allows.fulfill([]))

    site.app.add_url_rule("/", view_func=view)
    assert site.get().text == "True"


@pytest.mark.parametrize("kind", [Has, HasWithAttrs])
def test_equal_requirements_can_be_overridden(site: Site, kind: Any) -> None:
    """Those with ``__eq__`` and ``__hash__``, by hand or by attrs; overrides go first."""
    site.allows.additional.push(Additional(kind("foo")))
    site.allows.overrides.push(Override(kind("foo")))
    assert site.allows.fulfill([], NOBODY)
    site.allows.overrides.pop()
    assert not site.allows.fulfill([], NOBODY)
    site.allows.additional.pop()


def test_managing_contexts_by_hand(site: Site) -> None:
    """After the fact: outside of requests, as a CLI command or a worker does."""
    site.allows.overrides.push(Override())
    current_overrides.add(is_admin)
    assert site.allows.fulfill([is_admin], NOBODY)
    site.allows.overrides.pop()
    assert current_overrides == None  # noqa: E711 - a proxy of None
    with pytest.raises(RuntimeError):
        site.allows.overrides.pop()


@pytest.mark.parametrize("option", ["call", "value"])
def test_failure_callbacks(option: str) -> None:
    """Controlling Failure, "Failure Callback": a function or a value, here or there."""
    app = Flask("seed")
    seen: list[tuple[Any, ...]] = []
    here = {"call": lambda *args, **kwargs: seen.append((args, kwargs)), "value": "sorry"}[option]
    extension = Allows(app, lambda: NOBODY, on_fail=here)
    guarded = extension.requires(is_admin)(lambda **_arguments: "in")
    if option == "value":
        assert guarded(a=1) == "sorry"
    else:
        with pytest.raises(Forbidden):
            guarded(a=1)
        assert seen == [((), {"a": 1})]


@pytest.mark.parametrize(
    ("stack", "manager", "container"),
    [
        (_override_ctx_stack, OverrideManager, Override),
        (_additional_ctx_stack, AdditionalManager, Additional),
    ],
)
def test_the_stacks_show_the_contexts(stack: Any, manager: Any, container: Any) -> None:
    """As the original's own tests look at them: pairs, pushed and popped by hand too."""
    mine, context = manager(), container(is_admin)
    assert stack.top is None
    assert stack.pop() is None
    mine.push(context)
    assert stack.top == (mine, context)
    assert stack.top[1] is context
    assert stack.pop() == (mine, context)
    assert mine.current is None
    stack.push((mine, context))
    assert mine.current is context
    mine.pop()
    assert stack.top is None


def sandwich() -> tuple[Flask, Allows, list[Any]]:
    """An app that looks at the stacks before the extension begins and after it has ended."""
    app, seen = Flask("sandwich"), []

    def look(response: Any = None) -> Any:
        seen.append((_override_ctx_stack.top, _additional_ctx_stack.top))
        return response

    app.before_request(look)
    app.after_request(look)
    extension = Allows(app, lambda: request.headers.get("User"), on_fail=("nope", 403))

    @app.before_request
    def look_within() -> None:
        seen.append((_override_ctx_stack.top[0], _additional_ctx_stack.top[0]))
        extension.additional.current.add(Not(is_banned))

    return app, extension, seen


def is_banned(user: str | None) -> bool:
    return user == "banned"


def client_of_sandwich(app: Flask, extension: Allows) -> FlaskClient:
    @app.route("/")
    @requires()
    def index() -> str:
        return "Welcome"

    @app.route("/raise")
    def raiser() -> str:
        extension.overrides.current.add(is_banned)
        raise LookupError

    @app.route("/misbehave")
    def misbehave() -> str:
        extension.overrides.push(Override())
        extension.additional.push(Additional())
        return "left"

    return app.test_client()


@pytest.mark.parametrize("path", ["/", "/raise", "/misbehave", "/nowhere"])
def test_the_stacks_are_empty_around_a_request(path: str) -> None:
    """Before the extension's part and after it, whatever the view left or raised."""
    app, extension, seen = sandwich()
    with client_of_sandwich(app, extension) as client:
        for _ in range(2):
            client.get(path)
        assert not extension.additional.current
        assert not extension.overrides.current
    empty, begun = (None, None), (extension.overrides, extension.additional)
    assert seen == [empty, begun, empty] * 2


def test_ambient_additions_are_asked() -> None:
    """`requires()` alone runs what was added before the view."""
    client = client_of_sandwich(*sandwich()[:2])
    statuses = [client.get("/", headers={"User": user}).status_code for user in ("ann", "banned")]
    assert statuses == [200, 403]


def test_contexts_end_with_the_response() -> None:
    """Driven by hand, request by request, as the original's tests do."""
    app, extension, _seen = sandwich()
    with app.test_request_context("/"):
        app.preprocess_request()
        current_overrides.add(is_banned)
        assert extension.overrides.current.is_overridden(is_banned)
        app.process_response(app.make_response("done"))
        assert extension.overrides.current is None


def test_an_extension_ends_its_own_contexts() -> None:
    """Not those of another one on the same app, which end with its own part."""
    app, seen = Flask("two"), []
    first = Allows(app)

    @app.after_request
    def between(response: Any) -> Any:
        seen.append([list(one.overrides.current or ()) for one in (first, second)])
        seen.append([list(one.additional.current or ()) for one in (first, second)])
        return response

    second = Allows(app)

    @app.route("/")
    def view() -> str:
        for one in (first, second):
            one.overrides.current.add(is_banned)
            one.additional.push(Additional(is_admin))
        return "done"

    app.test_client().get("/")
    assert seen == [[[is_banned], []], [[is_admin], []]]


@pytest.mark.parametrize("opened", ["added", "pushed"])
def test_additions_outlast_the_response(opened: str) -> None:
    """What follows the response sees no context, yet a restriction is not lifted by that."""
    app, seen = Flask("after"), []

    def look(response: Any) -> Any:
        seen.append((extension.additional.current, extension.fulfill([]), extension.fulfill([])))
        return response

    app.after_request(look)
    extension = Allows(app, lambda: NOBODY)

    @app.route("/<overridden>")
    def view(overridden: str) -> Any:
        if opened == "added":
            current_additions.add(is_admin)
        else:
            extension.additional.push(Additional(is_admin))
        if overridden == "overridden":
            current_overrides.add(is_admin)
        return app.response_class(str(extension.fulfill([])) for _ in range(2))

    client = app.test_client()
    assert client.get("/asked").text == "FalseFalse"
    assert client.get("/overridden").text == "TrueTrue"
    assert seen == [(None, False, False), (None, True, True)]
    assert extension.fulfill([])


def test_what_is_added_after_the_response_counts_too() -> None:
    """Beside what was added before, also when two extensions are one."""
    app, answers = Flask("after"), []

    def add(response: Any) -> Any:
        extension.additional.push(Additional(is_banned))
        answers.extend(extension.fulfill([], user) for user in (ADMIN, NOBODY, "banned"))
        return response

    app.after_request(add)
    extension = Allows(app, lambda: NOBODY)
    extension.init_app(app)
    app.add_url_rule("/", view_func=lambda: [current_additions.add(Not(is_admin)), "done"][1])
    app.test_client().get("/")
    assert answers == [False, False, False]


def test_templates_can_ask(site: Site) -> None:
    """What the original never had works in a ported program too."""
    site.user = ADMIN
    with site.app.test_request_context("/"):
        page = render_template_string("{% if allowed(is_admin) %}in{% endif %}", is_admin=is_admin)
    assert page == "in"
