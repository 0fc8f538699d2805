"""Policies by request: 401, 403 and 404, what is hidden, what is logged, and odd keys."""

from __future__ import annotations

import enum
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, abort, g, jsonify, request
from flask.views import MethodView
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator
from werkzeug.exceptions import Gone

from licet import Licet
from licet.authn import current_identity, embedded_issuer
from licet.authn.tokens.issuer import subject_of
from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    AccessKind,
    Policy,
    access_of,
    attr,
    authorize,
    caller,
    everyone,
    find_object,
    guarded_by,
    list_objects,
    policies_of,
    predicate,
    public,
    register_policies,
    registered,
    with_object,
)
from licet.authz.flask import current_caller, current_session
from licet.errors import ConfigurationError, InvalidCondition, InvalidToken

PLACE = rf"{__file__}:\d+"


class Base(DeclarativeBase):
    pass


class Color(enum.Enum):
    RED = "red"


class Even(TypeDecorator[int]):
    """Takes even numbers, and stores half of them."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value % 2:
            raise ValueError("odd")
        return value // 2

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value * 2


class Upper(TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value.upper()


class Plain(TypeDecorator[str]):
    impl = sa.String
    cache_ok = True


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None]
    is_public: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str | None]


def keyed(name: str, *types: Any) -> type[Any]:
    columns = {
        f"key_{place}": mapped_column(one, primary_key=True) for place, one in enumerate(types)
    }
    return type(name, (Base,), {"__tablename__": name.lower(), **columns})


KEYED = {
    name: keyed(f"Keyed{number}", *types)
    for number, (name, types) in enumerate(
        {
            "integer": [sa.Integer()],
            "small": [sa.SmallInteger()],
            "big": [sa.BigInteger()],
            "string": [sa.String(8)],
            "text": [sa.Text()],
            "uuid": [sa.Uuid()],
            "uuid text": [sa.Uuid(as_uuid=False)],
            "enum": [sa.Enum(Color)],
            "enum texts": [sa.Enum("red", "blue", name="colors")],
            "date": [sa.Date()],
            "boolean": [sa.Boolean()],
            "bytes": [sa.LargeBinary(8)],
            "number": [sa.Numeric(8, 2)],
            "pair": [sa.Integer(), sa.String(8)],
            "own even": [Even()],
            "own upper": [Upper(8)],
            "own plain": [Plain(8)],
        }.items()
    )
}
GOOD = {
    "integer": 1,
    "small": 1,
    "big": 2**62,
    "string": "a",
    "text": "a",
    "uuid": uuid.UUID(int=1),
    "uuid text": str(uuid.UUID(int=1)),
    "enum": Color.RED,
    "enum texts": "red",
    "boolean": True,
    "bytes": b"a",
    "pair": (1, "a"),
    "own even": 2,
    "own upper": "A",
    "own plain": "a",
}
ODD = [
    *(0, -1, 2**15, -(2**15) - 1, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 10**40, True, False),
    *(None, "", "1", "x", "a\x00", "\ud800", "red" * 99, "é", b"1", b"\x00\xff", 1.0, float("nan")),
    *(
        [],
        [1],
        {},
        {"id": 1},
        (),
        (3,),
        (1, "a", 2),
        ("a", 1),
        (2**40, "a"),
        (1, "\x00"),
        (1, None),
    ),
    *(object(), int, uuid.UUID(int=3), "not-a-uuid", Color, "RED", float("inf")),
]


def note_policy() -> Policy:
    own = (attr("owner") == caller.subject).named("of own notes")
    return (
        Policy(Note, name="notes")
        .allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
        .allow(registered, CREATE, when=own)
        .allow(everyone, LIST | VIEW, when=attr("is_public").is_true().named("of public notes"))
        .hide("owner", unless=own)
        .readonly("id")
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'notes.sqlite3'}"
    else:
        url = request.getfixturevalue("postgresql_schema_url")
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def shown(note: Note, fields: frozenset[str]) -> dict[str, Any]:
    return {name: getattr(note, name) for name in sorted(fields)}


def make_app(engine: sa.Engine, folder: Path, *more: Policy) -> Flask:
    app = Flask("notes", static_folder=None, instance_path=str(folder / "instance"))
    Licet(app)
    policy = note_policy()

    def session() -> Session:
        if "notes" not in g:
            g.notes = Session(engine)
        return g.notes

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        if "notes" in g:
            g.pop("notes").close()

    register_policies(app, policy, *more, session=session)
    add_functions(app, policy)
    add_class(app, policy)
    add_collection(app, policy)
    return app


def add_functions(app: Flask, policy: Policy) -> None:
    @app.get("/function/<int:key>")
    @with_object(policy, VIEW, "key")
    def view(note: Note) -> Any:
        return jsonify(shown(note, policy.visible_fields(current_caller(), note)))

    @app.patch("/function/<int:key>")
    @with_object(policy, UPDATE, "key")
    def update(note: Note) -> Any:
        for name, value in request.get_json().items():
            setattr(note, name, value)
        authorize(policy, UPDATE, note)
        current_session().commit()
        return "", 204

    @app.delete("/function/<int:key>")
    @with_object(policy, DELETE, "key")
    def delete(note: Note) -> Any:
        current_session().delete(note)
        current_session().commit()
        return "", 204


def add_class(app: Flask, policy: Policy) -> None:
    class One(MethodView):
        @with_object(policy, VIEW, "key")
        def get(self, note: Note, more: str) -> Any:
            return jsonify(shown(note, policy.visible_fields(current_caller(), note)))

        @with_object(policy, UPDATE, "key")
        def patch(self, note: Note, more: str) -> Any:
            return more, 200

        @with_object(policy, DELETE, "key")
        async def delete(self, note: Note, more: str) -> Any:
            return more, 200

    app.add_url_rule("/class/<int:key>/<more>", view_func=One.as_view("one"))


def add_collection(app: Flask, policy: Policy) -> None:
    @app.get("/notes")
    @guarded_by(policy, LIST)
    def listing() -> Any:
        ordered = sa.select(Note).order_by(Note.id)
        rows = list_objects(policy, current_session(), ordered, current_caller())
        return jsonify([shown(row.object, row.visible_fields) for row in rows])

    @app.post("/notes")
    @guarded_by(policy, CREATE)
    def create() -> Any:
        note = Note(**request.get_json())
        authorize(policy, CREATE, note)
        current_session().add(note)
        current_session().commit()
        return str(note.id), 201


@pytest.fixture
def app(sqlite: sa.Engine, tmp_path: Path) -> Flask:
    return make_app(sqlite, tmp_path)


def headers(app: Flask, user: str | None) -> dict[str, str]:
    if user is None:
        return {}
    return {"Authorization": f"Bearer {embedded_issuer(app).mint(user, ['any'])}"}


def add(engine: sa.Engine, **values: Any) -> None:
    with Session(engine) as session:
        session.add(Note(**values))
        session.commit()


# --- 401, 403, 404 --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/function/{}", "/class/{}/more"], ids=["function", "class"])
@pytest.mark.parametrize(
    ("user", "key", "verb", "status"),
    [
        (None, 1, "GET", 200),
        (None, 1, "HEAD", 200),
        (None, 1, "PATCH", 401),
        (None, 1, "DELETE", 401),
        (None, 2, "GET", 404),
        (None, 2, "HEAD", 404),
        (None, 2, "PATCH", 404),
        (None, 2, "DELETE", 404),
        (None, 3, "GET", 404),
        (None, 3, "DELETE", 404),
        ("bob", 1, "GET", 200),
        ("bob", 1, "PATCH", 403),
        ("bob", 1, "DELETE", 403),
        ("bob", 2, "GET", 404),
        ("bob", 2, "HEAD", 404),
        ("bob", 2, "PATCH", 404),
        ("ann", 1, "GET", 200),
        ("ann", 2, "GET", 200),
        ("ann", 2, "HEAD", 200),
        ("ann", 3, "GET", 404),
    ],
)
def test_each_answer_is_the_one_that_tells_least(app, sqlite, path, user, key, verb, status):
    """A public note of Ann's, a private one, and one that is not there."""
    ann = subject_of("ann")
    add(sqlite, id=1, owner=ann, is_public=True, text="public")
    add(sqlite, id=2, owner=ann, text="private")

    response = app.test_client().open(
        path.format(key), method=verb, headers=headers(app, user), json={}
    )

    assert response.status_code == status
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    if status >= 400:
        assert "private" not in response.text
        assert ann not in response.text
        assert "of own notes" not in response.text
    if verb == "HEAD":
        assert response.data == b""


def test_what_was_allowed_is_done(app: Flask, sqlite: sa.Engine):
    """By the owner: changed and deleted; other view arguments and methods are passed on."""
    add(sqlite, id=1, owner=subject_of("ann"), text="old")
    client, ann = app.test_client(), headers(app, "ann")

    assert client.patch("/function/1", json={"text": "new"}, headers=ann).status_code == 204
    assert client.get("/function/1", headers=ann).json["text"] == "new"
    assert client.patch("/class/1/further", headers=ann).text == "further"
    assert client.delete("/function/1", headers=ann).status_code == 204
    assert client.get("/function/1", headers=ann).status_code == 404


def test_a_change_is_decided_before_and_after(app: Flask, sqlite: sa.Engine):
    """Nobody gives a note away, or takes one; a denied change is not stored."""
    add(sqlite, id=1, owner=subject_of("ann"), is_public=True)
    client = app.test_client()
    given = {"owner": subject_of("bob")}

    assert client.patch("/function/1", json=given, headers=headers(app, "ann")).status_code == 403
    assert client.patch("/function/1", json=given, headers=headers(app, "bob")).status_code == 403
    with Session(sqlite) as session:
        assert session.get(Note, 1).owner == subject_of("ann")


@pytest.mark.parametrize("body", [{}, {"owner": "somebody"}, {"text": "x"}])
def test_creating_is_no_secret(app: Flask, body: dict[str, Any]):
    """A draft that may not be is a 401 or 403, an empty one too, and never "not found"."""
    client = app.test_client()

    assert client.post("/notes", json=body).status_code == 401
    assert client.post("/notes", json=body, headers=headers(app, "ann")).status_code == 403
    own = body | {"owner": subject_of("ann")}
    assert client.post("/notes", json=own, headers=headers(app, "ann")).status_code == 201


@pytest.mark.parametrize("own_caller", [False, True])
def test_a_bad_token_is_nobody_at_all(app: Flask, sqlite: sa.Engine, caplog, own_caller: bool):
    """Not the anonymous caller: 401 for what everybody may see, what is hidden, what is absent."""
    add(sqlite, id=1, is_public=True)
    add(sqlite, id=2)
    bad = {"Authorization": "Bearer forged"}
    if own_caller:
        register_policies(app, caller=lambda: SimpleNamespace(subject=current_identity.subject))

    answers = [
        app.test_client().get(path, headers=bad)
        for path in ("/function/1", "/function/2", "/function/3", "/notes")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert caplog.records == []


def test_a_bad_token_is_told_by_the_proxy_too(app: Flask, sqlite: sa.Engine):
    """`current_identity` itself as the caller: its 401 is the answer, and no denial."""
    policy = policies_of(app)[0]
    with (
        app.test_request_context("/", headers={"Authorization": "Bearer forged"}),
        Session(sqlite) as session,
    ):
        asks = [
            lambda: policy.decide(current_identity, UPDATE, Note(owner="x")),
            lambda: policy.filter(sa.select(Note), current_identity),
            lambda: policy.explain(current_identity, VIEW, Note()),
            lambda: list(list_objects(policy, session, sa.select(Note), current_identity)),
        ]
        for ask in asks:
            with pytest.raises(InvalidToken):
                ask()


def test_what_a_function_aborts_with_is_the_answer(app: Flask, sqlite: sa.Engine):
    """As with a requirement: a deliberate response is no mistake."""
    gone = Policy(Note).allow(everyone, UPDATE, when=predicate(lambda *_: abort(410)))
    add(sqlite, id=1)

    with app.app_context(), pytest.raises(Gone):
        find_object(gone, 1, UPDATE, identity=SimpleNamespace())


def test_a_list_shows_what_may_be_seen(app: Flask, sqlite: sa.Engine):
    """Rows and fields, for each caller their own."""
    ann = subject_of("ann")
    add(sqlite, id=1, owner=ann, is_public=True)
    add(sqlite, id=2, owner=ann)
    add(sqlite, id=3, owner=subject_of("bob"))
    client = app.test_client()

    def listed(user: str | None) -> list[tuple[int, bool]]:
        rows = client.get("/notes", headers=headers(app, user)).json
        return [(row["id"], "owner" in row) for row in rows]

    assert listed(None) == [(1, False)]
    assert listed("ann") == [(1, True), (2, True)]
    assert listed("bob") == [(1, False), (3, True)]


@pytest.mark.parametrize("path", ["/function/7", "/class/7/more"], ids=["function", "class"])
@pytest.mark.parametrize("verb", ["GET", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("user", [None, "bob"])
def test_hidden_and_absent_are_alike(engine, tmp_path, path: str, verb: str, user: str | None):
    """Byte for byte: status, headers and body before the row is there, and while it is hidden."""
    client = make_app(engine, tmp_path).test_client()
    sent = headers(client.application, user) | {"X-Request-Id": "r1"}

    def answer() -> tuple[Any, ...]:
        response = client.open(path, method=verb, headers=sent, json={"text": "x"})
        return response.status, response.data, [h for h in response.headers if h[0] != "Date"]

    absent = answer()
    add(engine, id=7, owner=subject_of("ann"), text="hidden")
    hidden = answer()
    assert absent == hidden
    assert absent[0].startswith("404")
    assert client.get("/function/7", headers=headers(client.application, "ann")).status_code == 200


# --- keys -----------------------------------------------------------------------------------------


def test_no_key_is_an_error(engine: sa.Engine, tmp_path: Path):
    """Of any type, for a primary key of any type: it is found, or there is no such object."""
    policies = {name: Policy(model).allow(everyone, VIEW) for name, model in KEYED.items()}
    app = make_app(engine, tmp_path, *policies.values())
    asked: list[tuple[Policy, Any]] = []

    @app.get("/find")
    @public
    def find() -> Any:
        policy, key = asked[-1]
        found = find_object(policy, key)
        assert found is not None
        return "found"

    client = app.test_client()
    for name, key in GOOD.items():
        with Session(engine) as session:
            parts = key if isinstance(key, tuple) else (key,)
            names = (f"key_{place}" for place in range(len(parts)))
            session.add(KEYED[name](**dict(zip(names, parts, strict=True))))
            session.commit()
        asked.append((policies[name], key))
        assert client.get("/find").status_code == 200, name
    for name, policy in policies.items():
        for key in ODD:
            asked.append((policy, key))
            status = client.get("/find").status_code
            is_stored = name == "boolean" and key is True
            assert status == (200 if is_stored else 404), (name, key, status)


@pytest.mark.parametrize("key", [0, 2**31 - 1, 2**31, 2**63, 10**30])
def test_keys_in_paths_are_never_an_error(engine: sa.Engine, tmp_path: Path, key: int):
    """However many digits somebody types."""
    client = make_app(engine, tmp_path).test_client()

    for path in (f"/function/{key}", f"/class/{key}/more"):
        assert client.get(path).status_code == 404
        assert client.patch(path, json={}).status_code == 404


# --- the log --------------------------------------------------------------------------------------


def denials(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    records = [r for r in caplog.records if r.name == "licet.authz.decisions"]
    for record in records:
        message = record.getMessage()
        assert "\n" not in message
        assert json.loads(message.removeprefix("denied ")) == json.loads(json.dumps(record.licet))
    return [record.licet for record in records]


def test_each_denial_is_one_line(app: Flask, sqlite: sa.Engine, caplog):
    """Who, what, on which object and why; and nothing when it is allowed or not there."""
    add(sqlite, id=1, owner=subject_of("ann"), is_public=True)
    add(sqlite, id=2, owner=subject_of("ann"), text="hidden")
    client = app.test_client()
    sent = headers(app, "bob")
    with caplog.at_level(logging.INFO):
        client.get("/function/1", headers=sent)
        client.get("/function/3", headers=sent)
        assert denials(caplog) == []
        client.delete("/function/1", headers=sent | {"X-Request-Id": "r-1"})
        client.get("/function/2", headers=sent | {"X-Request-Id": "r-2"})
        client.post("/notes", json={}, headers={"X-Request-Id": "r-3"})

    first, second, third = denials(caplog)
    assert first == {
        "request_id": "r-1",
        "principal": first["principal"],
        "verb": "DELETE",
        "resource": "notes:1",
        "visible": True,
        "reason": "of own notes",
    }
    assert subject_of("bob") in first["principal"]
    assert (second["resource"], second["visible"]) == ("notes:2", False)
    assert (third["resource"], third["principal"]) == ("notes:new", "anonymous")
    token = sent["Authorization"].removeprefix("Bearer ")
    for text in (token, token.split(".")[1], "hidden", subject_of("ann")):
        assert text not in caplog.text
        assert all(text not in str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("given", ["a\tb", "x" * 129, '"}{', "é", ""])
def test_a_request_id_that_is_not_harmless_is_replaced(app: Flask, caplog, given: str):
    """By one of our own, the same for each line of the request."""
    with caplog.at_level(logging.INFO):
        app.test_client().post("/notes", json={}, headers={"X-Request-Id": given})

    (denial,) = denials(caplog)
    assert len(denial["request_id"]) == 16
    assert given != denial["request_id"]


def test_a_denial_outside_of_requests_is_logged_too(app: Flask, caplog):
    """Of a command, say: with an identity that is given, and no request id."""

    class Robot:
        principal = "robot\nwith lines"
        subject = "r"

    with app.app_context(), caplog.at_level(logging.INFO):
        policy = policies_of(app)[0]
        for _ in range(2):
            with pytest.raises(Exception, match="not permitted"):
                authorize(policy, CREATE, Note(owner="x"), identity=Robot())

    assert [d["request_id"] for d in denials(caplog)] == [None, None]
    assert denials(caplog)[0]["principal"] == "robot\nwith lines"


def test_one_request_has_one_id(app: Flask, caplog):
    """However many denials it meets."""
    policy = policies_of(app)[0]
    with (
        app.test_request_context("/notes"),
        caplog.at_level(logging.INFO),
    ):
        for _ in range(2):
            with pytest.raises(Exception, match="bearer token"):
                authorize(policy, CREATE, Note(owner="x"))

    first, second = denials(caplog)
    assert first["request_id"] == second["request_id"]


def test_a_caller_of_a_wrong_type_is_denied_by_request(sqlite: sa.Engine, tmp_path: Path, caplog):
    """A bug in the app's own caller is a 404 and a line in the log, without the value."""

    class Wrong:
        is_authenticated = True
        principal = "somebody"

        @property
        def subject(self) -> str:
            raise RuntimeError("hunter2")

    app = make_app(sqlite, tmp_path)
    register_policies(app, caller=Wrong)
    add(sqlite, id=1, is_public=False)
    with caplog.at_level(logging.INFO):
        assert app.test_client().get("/function/1").status_code == 404

    assert "RuntimeError at" in denials(caplog)[0]["reason"]
    assert "hunter2" not in caplog.text


# --- declarations ---------------------------------------------------------------------------------


def test_views_say_which_policy_guards_them():
    """Decorated functions bear the mark, the functions inside do not."""
    policy = note_policy()

    def plain() -> None: ...

    guarded = with_object(policy, VIEW, "key")(plain)
    (access,) = access_of(guarded)
    assert (access.kind, access.text, access.resource) == (AccessKind.POLICY, "notes VIEW", "notes")
    assert access_of(plain) == ()
    assert guarded.__name__ == "plain"
    assert guarded_by(policy, LIST)(plain) is plain
    assert [access.text for access in access_of(plain)] == ["notes LIST"]


@pytest.mark.parametrize("decorate", [guarded_by, lambda p, v: with_object(p, v, "key")])
@pytest.mark.parametrize("verb", [LIST | VIEW])
def test_a_view_is_guarded_by_one_verb(decorate: Callable[..., Any], verb):
    """Refused where it is written."""
    with pytest.raises(InvalidCondition, match=f"One verb is wanted.*{PLACE}"):
        decorate(note_policy(), verb)


@pytest.mark.parametrize("view", [MethodView, None, "view", MethodView.as_view])
def test_only_functions_get_an_object(view: Any):
    """A class has methods to decorate."""
    with pytest.raises(InvalidCondition, match=f"with_object decorates view functions.*{PLACE}"):
        with_object(note_policy(), VIEW, "key")(view)


def test_registered_policies_are_built(app: Flask):
    """A mistake is seen when the app is made."""
    with pytest.raises(InvalidCondition, match=f"has no field nothing.*{PLACE}"):
        register_policies(app, Policy(KEYED["text"]).hide("nothing"))
    with pytest.raises(InvalidCondition, match="in use already"):
        policies_of(app)[0].allow(everyone, VIEW)
    assert [policy.name for policy in policies_of(app)] == ["notes"]


def test_there_is_one_policy_of_each_class_and_name(app: Flask):
    """Two would disagree one day."""
    for second in (Policy(Note, name="others"), Policy(KEYED["text"], name="notes")):
        with pytest.raises(InvalidCondition, match=f"has a policy for.*already.*{PLACE}"):
            register_policies(app, second)
    with pytest.raises(InvalidCondition, match=f"takes policies, not.*{PLACE}"):
        register_policies(app, Note)


def test_policies_may_be_registered_in_parts(sqlite: sa.Engine, tmp_path: Path):
    """The session and the caller stay what they were unless they are given again."""
    app = make_app(sqlite, tmp_path)
    register_policies(app, Policy(KEYED["text"], name="texts").allow(everyone, VIEW))

    with app.test_request_context("/"):
        assert current_session().get_bind() is sqlite
        assert current_caller().is_authenticated is False
    assert [policy.name for policy in policies_of(app)] == ["notes", "texts"]


def test_without_a_session_nothing_is_found(tmp_path: Path):
    """The error says what to give; a decision about an object needs none."""
    app = Flask("bare", instance_path=str(tmp_path / "instance"))
    policy = note_policy()
    register_policies(app, policy)

    with app.test_request_context("/"):
        with pytest.raises(ConfigurationError, match="session=lambda"):
            find_object(policy, 1)
        authorize(policy, VIEW, Note(is_public=True))


def test_a_caller_of_the_app_own_is_asked(sqlite: sa.Engine, tmp_path: Path):
    """Without the attributes of licet's identity: no one is anonymous who does not say so."""
    app = make_app(sqlite, tmp_path)
    add(sqlite, id=1, owner="me", is_public=True)

    class Mine:
        subject = "other"

    register_policies(app, caller=Mine)
    assert app.test_client().patch("/function/1", json={}).status_code == 403
