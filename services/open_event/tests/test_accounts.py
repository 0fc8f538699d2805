"""Sign-up and sign-in in the original's spellings, and the named permissions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from services.open_event.access import PERMISSIONS, has_access
from services.open_event.models import Account
from services.open_event.tests.asking import EVENT, Api, ask, document, told

from licet.authn.accounts.credentials import set_blocked
from licet.authn.accounts.flask import accounts_of

PASSWORD = "a quiet evening"
UP = "/data/attributes"


def sign_up(api: Api, email: str, **names: Any) -> Any:
    given = {"email": email, "password": PASSWORD, **names}
    return api.ask("POST", "/users", None, {"type": "user", "attributes": given})


def newest_mail(api: Api) -> str:
    assert accounts_of(api.app).outbox.wait(5)
    folder = Path(api.app.config["LICET_INSTANCE_PATH"]) / "mail"
    return max(folder.glob("*.eml")).read_text()


def registered(api: Api, email: str, **names: Any) -> dict[str, str]:
    """The header of somebody who signed up, confirmed the address and signed in."""
    assert sign_up(api, email, **names).status_code == 202
    secret = re.search(r"token=([\w-]+)", newest_mail(api))
    given = {"token": secret[1], "password": PASSWORD}
    assert api.client.post("/auth/verify", json=given).status_code == 204
    body = {"email": email, "password": PASSWORD}
    answer = api.client.post("/v1/auth/login", json=body)
    return {"Authorization": f"JWT {answer.json['access_token']}"}


def test_whoever_signs_up_is_a_user(api: Api):
    """With their names, a verified address, and no other rights; the same for every request."""
    sent = registered(
        api, "mira@example.net", first_name="Mira", avatar_url="https://example.org/m"
    )
    for _ in range(2):
        (user,) = api.client.get("/v1/users", headers=sent).json["data"]
    shown = user["attributes"]
    assert (shown["first-name"], shown["avatar-url"]) == ("Mira", "https://example.org/m")
    assert (shown["is-verified"], shown["is-admin"]) == (True, False)


def test_a_body_that_is_no_object_is_400(api: Api):
    """And the document says so."""
    answer = api.client.post("/v1/auth/login", data=b"\0", content_type="application/json")
    told = api.client.get("/openapi.json").json["paths"]["/v1/auth/login"]["post"]["responses"]
    assert (answer.status_code, "400" in told) == (400, True)


def test_a_known_address_gets_the_same_answer(api: Api):
    """Byte for byte; nothing of the account or of its names is changed."""
    sent = registered(api, "nora@example.net", first_name="Nora")
    again = sign_up(api, "nora@example.net", first_name="Eve")
    new = sign_up(api, "olga@example.net", first_name="Olga")
    assert (again.status_code, again.data) == (new.status_code, new.data)
    (user,) = api.client.get("/v1/users", headers=sent).json["data"]
    assert user["attributes"]["first-name"] == "Nora"


def test_the_address_of_another_user_is_nobodys(api: Api):
    """Whoever signs in with it is not taken for that user, and may do nothing more than others."""
    sent = registered(api, "carol@example.org")
    assert api.client.get("/v1/users", headers=sent).status_code == 403
    assert api.client.get("/v1/sessions/1", headers=sent).status_code == 404


def test_a_blocked_account_ends_at_once(api: Api):
    """Its token is refused, also where none is needed."""
    sent = registered(api, "paul@example.net")
    assert api.client.get("/v1/events", headers=sent).status_code == 200
    with api.app.app_context():
        assert set_blocked(accounts_of(api.app), "paul@example.net", blocked=True)
    assert api.client.get("/v1/events", headers=sent).status_code == 401
    body = {"email": "paul@example.net", "password": PASSWORD}
    assert api.client.post("/v1/auth/session", json=body).status_code == 401


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x@example.net"}, "password"),
        ({"email": "nobody"}, "email"),
        ({"is-verified": True}, "is-verified"),
        ({"first-name": 5}, "first-name"),
        ({"first-name": "\ud800"}, "first-name"),
        ({"avatar-url": "javascript:x"}, "avatar-url"),
    ],
)
def test_a_sign_up_that_cannot_be_is_refused(api: Api, attributes, place):
    """With its place, and without a mail."""
    given = {"email": "x@example.net", "password": PASSWORD, **attributes}
    refused = api.ask("POST", "/users", None, {"type": "user", "attributes": given})
    assert refused.status_code == 422
    places = {one["source"]["pointer"] for one in refused.json["errors"]}
    assert places <= {f"{UP}/{place}", f"{UP}/password"}
    assert api.client.post("/v1/users", data="[").status_code == 400


def test_a_user_changes_names_and_nothing_more(api: Api):
    """Neither the password nor the rights, and nobody else's names."""
    assert api.change("users", 3, "bob", first_name="Robert").status_code == 200
    for values in ({"password": PASSWORD}, {"is_admin": True}, {"is_verified": False}):
        assert told(api.change("users", 3, "bob", **values))[0] == 422
    assert api.change("users", 4, "bob", first_name="x").status_code == 404
    assert api.delete("/users/3", "bob").status_code == 403
    assert api.change("users", 3, "admin", is_admin=True).status_code == 200


def test_only_super_admins_make_and_change_super_admins(api: Api, db):
    """An admin neither becomes one nor takes one's rights away."""
    assert api.change("users", 1, "admin", is_super_admin=True).status_code == 403
    db.get(Account, 2).is_super_admin = True
    db.commit()
    for values in ({"is_super_admin": False}, {"first_name": "x"}):
        assert api.change("users", 2, "admin", **values).status_code == 403
    assert api.delete("/users/2", "admin").status_code == 403
    assert api.change("users", 1, "alice", is_super_admin=True).status_code == 200


def test_named_permissions(api: Api):
    """Of the caller; siblings have nothing of each other, nobody has any, unknown names raise."""
    ids = {"event_id": 1, "session_id": 1, "speaker_id": 1, "user_id": 3}
    wanted = {
        "owner": {"is_owner", "is_organizer", "is_coorganizer", "is_moderator", "create_event"},
        "coorganizer": {"is_coorganizer", "is_track_organizer", "is_registrar", "create_event"},
        "registrar": {"is_registrar", "is_registrar_or_user_itself", "create_event"},
        "bob": {
            *("is_user_itself", "is_session_self_submitted", "is_speaker_for_session"),
            *("is_speaker_itself_or_admin", "is_registrar_or_user_itself"),
        },
        "admin": set(PERMISSIONS) - {"is_super_admin", "is_user_itself"},
    }
    for who, names in wanted.items():
        with api.app.test_request_context(headers=api.headers(who)):
            had = {name for name in PERMISSIONS if has_access(name, **ids)}
        assert names <= had, who
    with api.app.test_request_context(headers=api.headers("registrar")):
        assert not has_access("is_moderator", **ids)
        assert not has_access("is_owner", **ids)
    with api.app.test_request_context():
        assert not any(has_access(name, **ids) for name in PERMISSIONS)
        with pytest.raises(LookupError, match="is_admin"):
            has_access("is_adminn")


def test_whoever_owns_events_hands_them_over_before_they_go(api: Api):
    """409 with the way out; then nothing of them is kept, and the address may sign up again."""
    sent = registered(api, "quin@example.net", first_name="Quin")
    shown = api.client.get("/v1/users", headers=sent).json["data"][0]["id"]
    data = document("events", {key.replace("_", "-"): value for key, value in EVENT.items()})
    event = ask(api.client, "POST", "/v1/events", sent, data).json["data"]["id"]
    bearer = {"Authorization": sent["Authorization"].replace("JWT", "Bearer")}

    def leave(password: str = PASSWORD) -> Any:
        return api.client.delete("/auth/account", json={"password": password}, headers=bearer)

    assert leave("another evening").status_code == 401
    refused = leave()
    assert (refused.status_code, refused.json["code"]) == (409, "account_in_use")
    assert f"New ({event})" in refused.json["detail"]
    assert "role-name owner" in refused.json["detail"]
    invite = document("role-invites", {"email": "bob@example.org", "role-name": "owner"})
    invite["data"]["relationships"] = {"event": {"data": {"type": "event", "id": event}}}
    made = ask(api.client, "POST", "/v1/role-invites", sent, invite).json["data"]["id"]
    assert api.change("role-invites", made, "bob", status="accepted").status_code == 200
    assert leave().status_code == 204
    assert api.client.get("/v1/users", headers=sent).status_code == 401
    gone = api.get(f"/users?filter[deleted]=true&filter[id]={shown}", "admin").json["data"]
    assert "Quin" not in str(gone)
    assert "quin@" not in str(gone)
    again = registered(api, "quin@example.net")
    (user,) = api.client.get("/v1/users", headers=again).json["data"]
    assert user["id"] != shown
    assert api.client.get(f"/v1/events/{event}", headers=again).status_code == 404
