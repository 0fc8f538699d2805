"""The endpoints of seed document 004, with marshmallow schemas, by changing imports alone."""

import marshmallow as ma
import pytest
import sqlalchemy as sa
from flask import Blueprint, Flask
from marshmallow import fields
from marshmallow_sqlalchemy import SQLAlchemyAutoSchema
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from tests.unit.authn.callers import Names, by

from licet import Licet
from licet.authn import Standing, current_account, use_verifier
from licet.authz import ALL, LIST, VIEW, Policy, Role, caller, register_policies, registered
from licet.errors import InvalidCondition
from licet.rest import (
    list_page,
    marshal_response,
    requires_auth,
    unmarshal_request,
    use_args,
    use_args_with_pagination,
    with_lookup,
)


class Base(DeclarativeBase):
    pass


class Users(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    _version: Mapped[int] = mapped_column("_version")
    email: Mapped[str] = mapped_column(sa.String(100), unique=True)
    role: Mapped[str | None]
    disabled: Mapped[bool] = mapped_column(default=False)
    phone: Mapped[str | None]
    permissions: Mapped[list["Permissions"]] = relationship(back_populates="user")

    __mapper_args__ = {"version_id_col": _version}  # noqa: RUF012


class Permissions(Base):
    __tablename__ = "permissions"
    id: Mapped[int] = mapped_column(primary_key=True)
    granted_to_user: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    trial_id: Mapped[str]
    user: Mapped[Users] = relationship(back_populates="permissions")


session = scoped_session(sessionmaker())


class UserSchema(SQLAlchemyAutoSchema):
    class Meta:
        model = Users
        sqla_session = session
        load_instance = True
        exclude = ("_version", "phone")

    telephone = fields.Str(attribute="phone")


class PermissionSchema(SQLAlchemyAutoSchema):
    class Meta:
        model = Permissions
        sqla_session = session
        load_instance = True
        include_fk = True


class UserWithPermissions(UserSchema):
    permissions = fields.List(fields.Nested(PermissionSchema()))


class ListMeta(ma.Schema):
    total = fields.Int(required=True)


class UserListSchema(ma.Schema):
    _items = fields.List(fields.Nested(UserSchema()), required=True)
    _meta = fields.Nested(ListMeta(), required=True)


def find_by_email(email):
    return session.scalar(sa.select(Users).filter_by(email=email))


user_schema = UserSchema()
user_list_schema = UserListSchema()
new_user_schema = UserSchema(exclude=("role", "disabled"))
partial_user_schema = UserSchema(partial=True)
permission_schema = PermissionSchema()
users_bp = Blueprint("users", __name__)
permissions_bp = Blueprint("permissions", __name__)


@users_bp.route("/self", methods=["GET"])
@requires_auth("self")
@marshal_response(user_schema)
def get_self():
    return session.merge(current_account)


@users_bp.route("/self", methods=["POST"])
@requires_auth("self_post", allow_unregistered=True)
@unmarshal_request(new_user_schema, "user")
@marshal_response(user_schema, 201)
def create_self(user):
    session.add(user)
    session.commit()
    return user


@users_bp.route("/", methods=["GET"])
@requires_auth("users", ["admin"])
@use_args_with_pagination({}, user_schema)
@marshal_response(user_list_schema)
def list_users(args, pagination_args):
    return list_page(Users, pagination_args)


@users_bp.route("/<int:user>", methods=["GET"])
@requires_auth("users_item")
@with_lookup(Users, "user")
@marshal_response(UserWithPermissions())
def get_user(user):
    return user


@users_bp.route("/<int:user>", methods=["PATCH"])
@requires_auth("users_item_patch", ["admin"])
@with_lookup(Users, "user", check_etag=True)
@unmarshal_request(partial_user_schema, "user_updates", load_sqla=False)
@marshal_response(user_schema)
def update_user(user, user_updates):
    for name, value in user_updates.items():
        setattr(user, name, value)
    session.commit()
    return user


@permissions_bp.route("/", methods=["GET"])
@requires_auth("permissions")
@use_args({"user_id": fields.Int()}, location="query")
@marshal_response(permission_schema)
def list_permissions(args):
    statement = sa.select(Permissions)
    if "user_id" in args:
        statement = statement.where(Permissions.granted_to_user == args["user_id"])
    return list(session.scalars(statement))


@permissions_bp.route("/by_email/<user>", methods=["GET"])
@requires_auth("by_email")
@with_lookup(
    Users, "user", find_func=lambda email: session.scalar(sa.select(Users).filter_by(email=email))
)
@marshal_response(user_schema)
def by_email(user):
    return user


@pytest.fixture
def client(tmp_path):
    """The app, with policies that hide phones from all but admins, and one disabled user."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'cidc.sqlite3'}")
    Base.metadata.create_all(engine)
    session.configure(bind=engine)
    app = Flask("cidc", instance_path=str(tmp_path))
    app.config["LICET_ERROR_SHAPE"] = "message"
    use_verifier(app, Names())
    licet = Licet(app)
    licet.account_of(
        lambda identity: session.scalar(sa.select(Users).filter_by(email=identity.subject))
    )
    licet.standing_of(lambda user: Standing.DISABLED if user.disabled else Standing.ACTIVE)
    licet.roles_of(lambda identity: {current_account.role} if current_account else set())
    users, permissions = Policy(Users), Policy(Permissions)
    admin = Role("admin", caller.roles.contains("admin"))
    users.allow(admin, ALL)
    users.allow(registered, LIST | VIEW)
    users.hide("phone", unless=[admin])
    permissions.allow(registered, LIST | VIEW)
    permissions.hide("trial_id", unless=[admin])
    register_policies(app, users, permissions, session=lambda: session)
    app.register_blueprint(users_bp, url_prefix="/users")
    app.register_blueprint(permissions_bp, url_prefix="/permissions")
    app.teardown_request(lambda _error: session.remove())
    session.add(Users(email="root", role="admin", phone="1"))
    session.add(Users(email="ann", role="user", phone="2", permissions=[Permissions(trial_id="t")]))
    session.commit()
    session.remove()
    yield app.test_client()
    session.remove()
    engine.dispose()


def told(answer):
    assert answer.json["_status"] == "ERR"
    return answer.json["_error"]["message"]


def test_a_list_has_items_total_and_tags(client):
    """The list's own schema dumps the page, and each row has its tag."""
    answer = client.get(
        "/users/?page_size=1&sort_field=email&sort_direction=desc", headers=by("root")
    )
    assert answer.json["_meta"] == {"total": 2}
    (row,) = answer.json["_items"]
    assert (row["email"], row["telephone"], row["_etag"][:2]) == ("root", "1", "1-")


def test_hidden_fields_are_left_out_under_their_other_names_and_when_nested(client):
    """The mask is of attributes: a member that shows one under another name has it, too."""
    seen = client.get("/users/2", headers=by("root")).json
    assert seen["telephone"] == "2"
    assert seen["permissions"][0]["trial_id"] == "t"
    masked = client.get("/users/2", headers=by("ann")).json
    assert "telephone" not in masked
    assert masked["permissions"] == [{"id": 1, "granted_to_user": 2}]


def test_a_change_needs_the_tag_and_changes_what_it_names(client):
    """428, 412, then the change: absent fields stay."""
    url, headers = "/users/2", by("root")
    assert told(client.patch(url, json={"role": "x"}, headers=headers)).startswith("This request")
    tag = client.get(url, headers=headers).json["_etag"]
    answer = client.patch(url, json={"role": "x"}, headers=headers | {"If-Match": tag})
    assert (answer.json["role"], answer.json["email"]) == ("x", "ann")
    late = client.patch(url, json={"role": "y"}, headers=headers | {"If-Match": tag})
    assert (late.status_code, told(late)[:10]) == (412, "The object")
    assert client.patch(url, json={}, headers=by("ann") | {"If-Match": tag}).status_code == 403


def test_whoever_has_no_account_makes_one(client):
    """The schema's instance is stored; no body overwrites another's row by its id."""
    taken = client.post("/users/self", json={"id": 2, "email": "new"}, headers=by("new"))
    assert taken.status_code == 422
    assert taken.json["_error"]["errors"] == [
        {"detail": "This is set by the server.", "pointer": "#/id"}
    ]
    made = client.post("/users/self", json={"email": "new", "role": "admin"}, headers=by("new"))
    assert [one["pointer"] for one in made.json["_error"]["errors"]] == ["#/role"]
    made = client.post("/users/self", json={"email": "new"}, headers=by("new"))
    assert made.status_code == 403  # the policy of users lets admins alone create
    assert client.get("/users/self", headers=by("ann")).json["email"] == "ann"


def test_queries_of_marshmallow_fields(client):
    """`GET /permissions/?user_id=` reads a number, and tells what is none."""
    url = "/permissions/"
    assert len(client.get(f"{url}?user_id=2", headers=by("ann")).json) == 1
    assert client.get(f"{url}?user_id=3", headers=by("ann")).json == []
    wrong = client.get(f"{url}?user_id=x", headers=by("ann"))
    assert (wrong.status_code, wrong.json["_error"]["errors"]) == (
        422,
        [{"detail": "Not a valid integer.", "parameter": "user_id"}],
    )


def test_an_object_found_otherwise(client):
    """`find_func` finds by what is no key; None is 404."""
    assert client.get("/permissions/by_email/ann", headers=by("ann")).json["id"] == 2
    assert client.get("/permissions/by_email/no", headers=by("ann")).status_code == 404


def test_a_tag_needs_a_version():
    """A class without one cannot be guarded, and the error says what to write."""
    with pytest.raises(InvalidCondition, match="version_id_col"):
        with_lookup(Permissions, "permission", check_etag=True)
