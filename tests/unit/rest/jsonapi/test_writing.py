"""Creating, changing and deleting resources."""

import pytest
from tests.unit.rest.jsonapi.conference import Conference, Event, Speaker, Talk, fill


def new(kind, links=None, **attributes):
    given = {"type": kind, "attributes": attributes}
    return {"data": {**given, **({"relationships": links} if links else {})}}


def change(kind, key, links=None, **attributes):
    document = new(kind, links, **attributes)
    document["data"]["id"] = str(key)
    return document


def to(kind, key):
    return {"data": {"type": kind, "id": str(key)}}


def errors(response):
    return [
        (one["status"], one.get("source", {}).get("pointer")) for one in response.json["errors"]
    ]


def test_a_resource_is_created(conference):
    """201, with its place and the resource as its creator sees it."""
    document = new(
        "event", **{"name": "New", "is-open": "false", "price": 3, "extra": [1, {"a": None}]}
    )
    made = conference.ask("POST", "/v1/events", "zoe", document=document)
    assert (made.status_code, made.headers["Location"]) == (201, "/v1/events/6")
    attributes = made.json["data"]["attributes"]
    assert attributes["name"] == "New"
    assert (attributes["is-open"], attributes["owner"], attributes["price"]) == (
        False,
        "zoe",
        "3.00",
    )
    assert conference.rows(Event)[-1]["extra"] == [1, {"a": None}]


def test_seed_example(conference):
    """A resource is created under its parent, and the parameters of lists are ignored."""
    document = {"data": {"type": "talks", "attributes": {"title": "New"}}}
    url = "/v1/events/1/talks?sort=type&filter=[]"
    made = conference.ask("POST", url, "zoe", document=document)
    assert made.status_code == 201
    assert made.json["data"]["relationships"]["event"]["data"] == {"type": "event", "id": "1"}
    assert conference.rows(Talk)[-1]["creator"] == "zoe"


def test_links_are_given_with_the_resource(conference):
    """To-one and to-many relationships of a new resource."""
    links = {"event": to("event", 1), "speakers": {"data": [to("speaker", 3)["data"]]}}
    made = conference.ask(
        "POST", "/v1/talks?include=speakers", "zoe", document=new("talk", links, title="New")
    )
    assert made.status_code == 201, made.text
    assert [one["id"] for one in made.json["included"]] == ["3"]


@pytest.mark.parametrize("caller", ["nobody", "zoe"])
def test_a_parent_that_is_hidden_is_absent(conference, caller):
    """Neither under its URL nor as a link can anything be made at what the caller does not see."""
    answers = []
    for key in (2, 98):
        links = {"event": to("event", key)}
        under = conference.ask(
            "POST", f"/v1/events/{key}/talks", caller, document=new("talk", title="x")
        )
        beside = conference.ask("POST", "/v1/talks", caller, document=new("talk", links, title="x"))
        answers.append([(one.status_code, one.data) for one in (under, beside)])
    assert answers[0] == answers[1]
    assert [status for status, _ in answers[0]] == (
        [401, 401] if caller == "nobody" else [404, 404]
    )
    assert len(conference.rows(Talk)) == 5


def test_what_is_required_is_told_with_its_place(conference):
    """422 with one entry for each missing attribute and relationship."""
    missing = conference.ask("POST", "/v1/talks", "zoe", document=new("talk"))
    assert errors(missing) == [
        ("422", "/data/attributes/title"),
        ("422", "/data/relationships/event"),
    ]


def test_wrong_values_are_told_one_by_one(conference):
    """422 with one entry for each wrong field; nothing is stored."""
    wrong = {
        "name": None,
        "is-open": "yes",
        "budget": 2**31,
        "starts-on": "2030-02-30",
        "starts-at": "2030-01-01T00:00:00",
        "price": "1.234",
        "rating": True,
        "nope": 1,
        "id2": 1,
    }
    document = change("event", 1, **wrong)
    response = conference.ask("PATCH", "/v1/events/1", "root", document=document)
    assert errors(response) == [("422", f"/data/attributes/{name}") for name in wrong]
    assert conference.rows(Event)[0]["is_open"] is True


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "x" * 51, 1, ["x"], {"a": 1}, True])
def test_texts_that_do_not_fit(conference, value):
    """422: NUL, lone surrogates, too long, another type."""
    response = conference.ask("POST", "/v1/events", "ann", document=new("event", name=value))
    assert errors(response) == [("422", "/data/attributes/name")]


@pytest.mark.parametrize("value", [["a\x00"], {"\ud800": 1}, {"a": [["\x00"]]}])
def test_json_that_does_not_fit(conference, value):
    """422: what no database stores, at any depth."""
    document = new("event", name="x", extra=value)
    assert conference.ask("POST", "/v1/events", "ann", document=document).status_code == 422


def test_only_what_is_named_is_changed(conference):
    """An absent attribute stays; null becomes NULL."""
    document = change("event", 1, budget=None)
    changed = conference.ask("PATCH", "/v1/events/1", "ann", document=document)
    assert changed.status_code == 200
    row = conference.rows(Event)[0]
    assert (row["budget"], row["name"]) == (None, "Open")


def test_server_owned_fields_are_never_taken(conference):
    """422 for what the caller may not write; the same value again is no change."""
    refused = conference.ask("PATCH", "/v1/events/1", "ann", document=change("event", 1, owner="x"))
    assert errors(refused) == [("422", "/data/attributes/owner")]
    hidden = conference.ask("PATCH", "/v1/talks/1", "ann", document=change("talk", 1, note=None))
    assert hidden.status_code == 200  # may be written, by whoever may update, but is not shown
    same = change("event", 1, owner="ann", name="Renamed")
    assert conference.ask("PATCH", "/v1/events/1", "ann", document=same).status_code == 200
    made = conference.ask("POST", "/v1/events", "ann", document=new("event", name="x", owner="ann"))
    assert errors(made) == [("422", "/data/attributes/owner")]
    computed = conference.ask("PATCH", "/v1/talks/5", "ann", document=change("talk", 5, loud="x!"))
    assert errors(computed) == [("422", "/data/attributes/loud")]


def test_an_id_in_the_attributes_is_no_id(conference):
    """The key of a row cannot be changed, nor chosen."""
    response = conference.ask("PATCH", "/v1/events/1", "root", document=change("event", 1, id="9"))
    assert response.status_code == 422
    chosen = new("event", name="x")
    chosen["data"]["id"] = "77"
    assert errors(conference.ask("POST", "/v1/events", "ann", document=chosen)) == [
        ("403", "/data/id")
    ]


@pytest.mark.parametrize(
    ("document", "status", "pointer"),
    [
        (change("event", 2, name="x"), "409", "/data/id"),
        (change("talk", 1, title="x"), "409", "/data/type"),
        (new("event", name="x"), "400", "/data"),
        ({"data": {"id": "1"}}, "400", "/data"),
        ({"data": {"type": 1, "id": "1"}}, "400", "/data"),
        ({"data": {"type": "event", "id": 1}}, "400", "/data"),
        ({"data": None}, "400", "/data"),
        ({"data": []}, "400", "/data"),
        ({}, "400", ""),
        ([], "400", ""),
        ({"data": {"type": "event", "id": "1", "attributes": []}}, "400", "/data/attributes"),
        ({"data": {"type": "event", "id": "1", "relationships": 1}}, "400", "/data/relationships"),
        ({"data": {"type": "event", "id": "1", "what": 1}}, "400", "/data"),
        (change("event", 1, {"nope": to("event", 1)}), "422", "/data/relationships/nope"),
        (change("event", 1, {"parent": None}), "400", "/data/relationships/parent"),
        (change("event", 1, {"parent": {}}), "400", "/data/relationships/parent"),
        (
            change("event", 1, {"parent": {"data": None, "x": 1}}),
            "400",
            "/data/relationships/parent",
        ),
        (change("event", 1, {"parent": {"data": []}}), "400", "/data/relationships/parent/data"),
        (change("event", 1, {"parts": {"data": None}}), "400", "/data/relationships/parts/data"),
        (
            change("event", 1, {"parent": {"data": {"type": "event"}}}),
            "400",
            "/data/relationships/parent/data",
        ),
        (
            change("event", 1, {"parent": {"data": {"type": "event", "id": "3", "x": 1}}}),
            "400",
            "/data/relationships/parent/data",
        ),
        (
            change("event", 1, {"parent": to("talk", 1)}),
            "409",
            "/data/relationships/parent/data/type",
        ),
        (change("event", 1, {"parent": to("event", 98)}), "404", "/data/relationships/parent/data"),
        (
            change(
                "event", 1, {"parts": {"data": [to("event", 3)["data"], to("event", "x")["data"]]}}
            ),
            "404",
            "/data/relationships/parts/data/1",
        ),
    ],
)
def test_wrong_documents_are_refused_with_their_place(conference, document, status, pointer):
    """400, 409, 404 or 422, with a pointer into the document."""
    response = conference.ask("PATCH", "/v1/events/1", "ann", document=document)
    assert errors(response) == [(status, pointer)]
    assert conference.rows(Event)[0]["name"] == "Open"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"data":1}', 400),
        (b"[" * 100_000, 400),
        (b'{"data":' * 20_000, 400),
        (b'{"data":{"type":"event","attributes":{"budget":' + b"9" * 5000 + b"}}}", 400),
        (b'{"data":{"type":"event","attributes":{"rating":NaN}}}', 400),
        (b'{"data":{"type":"event","attributes":{"rating":1e999}}}', 400),
        (b'{"data":{"type":"event","type":"event","attributes":{}}}', 400),
        (b'{"data":"' + b"x" * 2**20 + b'"}', 413),
        (b'{"data":"' + b"x" * 10 * 2**20 + b'"}', 413),
    ],
)
def test_wrong_bodies_are_refused(conference, body, status):
    """A clear 4xx; nothing is stored."""
    response = conference.ask("POST", "/v1/events", "root", data=body)
    assert response.status_code == status, response.text
    assert response.json["errors"][0]["status"] == str(status)
    assert len(conference.rows(Event)) == 5


def test_a_conflict_is_told(conference):
    """409 when the database refuses what is there already; nothing is stored."""
    response = conference.ask("POST", "/v1/events", "ann", document=new("event", name="Open"))
    assert response.status_code == 409
    assert len(conference.rows(Event)) == 5


def test_a_resource_is_deleted(conference):
    """200 with a message; a second time 404."""
    response = conference.ask("DELETE", "/v1/events/3", "ann")
    assert (response.status_code, response.json["meta"]) == (
        200,
        {"message": "Object successfully deleted"},
    )
    assert conference.ask("DELETE", "/v1/events/3", "ann").status_code == 404


@pytest.mark.parametrize(
    ("caller", "method", "path", "status"),
    [
        ("nobody", "POST", "/v1/events", 401),
        ("nobody", "PATCH", "/v1/events/1", 401),
        ("nobody", "DELETE", "/v1/events/1", 401),
        ("ben", "PATCH", "/v1/events/1", 403),
        ("ben", "DELETE", "/v1/events/1", 403),
        ("ann", "PATCH", "/v1/events/2", 404),
        ("nobody", "DELETE", "/v1/events/2", 404),
        ("ann", "PATCH", "/v1/events/98", 404),
        ("ben", "PATCH", "/v1/events/1/relationships/parts", 403),
        ("zoe", "DELETE", "/v1/speakers/1", 403),
    ],
)
def test_who_may_not_write_is_refused(conference, caller, method, path, status):
    """401 without a caller, 403 of what is seen, 404 of the rest, before the body is looked at."""
    response = conference.ask(method, path, caller, data=b"nonsense")
    assert response.status_code == status
    assert [row["name"] for row in conference.rows(Event)][:2] == ["Open", "Closed"]


def test_nothing_is_moved_to_where_the_caller_has_no_say(conference):
    """UPDATE is decided before and after."""
    document = change("talk", 5, {"event": to("event", 2)})
    conference.policies  # noqa: B018 - ann sees no closed event of ben's
    assert conference.ask("PATCH", "/v1/talks/5", "ann", document=document).status_code == 404
    conference.add(Event(id=20, name="Ben's", owner="ben"))
    conference.add(Talk(id=20, event_id=1, title="x", creator="zoe"))
    moved = change("talk", 20, {"event": to("event", 20)})
    assert conference.ask("PATCH", "/v1/talks/20", "ann", document=moved).status_code in (403, 404)
    assert conference.rows(Talk)[-1]["event_id"] == 1
    assert conference.ask("PATCH", "/v1/talks/20", "zoe", document=moved).status_code == 200


def test_a_write_answers_with_fields_and_includes(conference):
    """`fields` and `include` shape the answer of a write; what is for lists is ignored."""
    url = "/v1/talks/5?include=event&fields[talk]=title,event&sort=nope&filter=x&page[size]=-1"
    changed = conference.ask("PATCH", url, "ann", document=change("talk", 5, title="Y"))
    assert changed.json["data"]["attributes"] == {"title": "Y"}
    assert [one["type"] for one in changed.json["included"]] == ["event"]


def test_what_its_creator_may_not_see_is_told_by_its_id_alone(conference):
    """201 without any field."""
    document = new("speaker", name="Secret", **{"is-public": False})
    made = conference.ask("POST", "/v1/speakers", "zoe", document=document)
    assert (made.status_code, made.json["data"]) == (
        201,
        {"type": "speaker", "id": "4", "links": {"self": "/v1/speakers/4"}},
    )
    assert conference.rows(Speaker)[-1]["name"] == "Secret"


def test_hooks_run_in_the_transaction(conference):
    """Each hook sees its object; what one raises leaves nothing behind."""
    seen = []
    events = conference.resources["event"]
    for moment in ("create", "update", "delete"):
        for when in ("before", "after"):
            name = f"{when}_{moment}"
            getattr(events, name)(
                lambda event, name=name: seen.append((name, event.name, event.id))
            )
    conference.ask("POST", "/v1/events", "ann", document=new("event", name="New"))
    conference.ask("PATCH", "/v1/events/6", "ann", document=change("event", 6, name="Newer"))
    conference.ask("DELETE", "/v1/events/6", "ann")
    assert seen == [
        ("before_create", "New", None),
        ("after_create", "New", 6),
        ("before_update", "Newer", 6),
        ("after_update", "Newer", 6),
        ("before_delete", "Newer", 6),
        ("after_delete", "Newer", 6),
    ]


@pytest.mark.parametrize(
    ("moment", "method", "path"),
    [
        ("after_create", "POST", "/v1/events"),
        ("after_update", "PATCH", "/v1/events/1"),
        ("after_delete", "DELETE", "/v1/events/3"),
    ],
)
def test_a_hook_that_refuses_leaves_nothing_behind(conference, moment, method, path):
    """An error after the write takes it back, and is the answer."""
    from licet.errors import InvalidRequest

    @getattr(conference.resources["event"], moment)
    def refuse(_event):
        raise InvalidRequest("not today")

    before = conference.rows(Event)
    document = new("event", name="x") if method == "POST" else change("event", 1, name="x")
    response = conference.ask(method, path, "ann", document=document)
    assert (response.status_code, response.json["errors"][0]["detail"]) == (422, "not today")
    assert conference.rows(Event) == before


def test_hooks_see_the_parent_of_a_new_resource(conference):
    """Whether it is given as a link or by the URL."""
    seen = []
    conference.resources["talk"].before_create(lambda talk: seen.append(talk.event.name))
    conference.ask("POST", "/v1/events/1/talks", "zoe", document=new("talk", title="x"))
    links = {"event": to("event", 1)}
    conference.ask("POST", "/v1/talks", "zoe", document=new("talk", links, title="x"))
    assert seen == ["Open", "Open"]


@pytest.mark.parametrize("caller", ["ann", "root"])
def test_writes_on_postgresql(postgresql_schema_url, caller):
    """The same on the other database: create, change, relate, delete."""
    conference = Conference(postgresql_schema_url)
    try:
        fill(conference)
        links = {"event": to("event", 1), "speakers": {"data": [to("speaker", 3)["data"]]}}
        document = new("talk", links, title="New")
        import sqlalchemy as sa

        with conference.engine.begin() as connection:
            connection.execute(sa.text("SELECT setval('talk_id_seq', 100)"))
        made = conference.ask("POST", "/v1/talks", caller, document=document)
        assert made.status_code == 201, made.text
        key = made.json["data"]["id"]
        changed = conference.ask(
            "PATCH", f"/v1/talks/{key}", caller, document=change("talk", key, title="Y")
        )
        assert changed.status_code == 200
        assert conference.ask("DELETE", f"/v1/talks/{key}", caller).status_code == 200
        assert conference.rows(Talk)[-1]["deleted_at"] is not None
    finally:
        conference.close()


def test_two_spellings_of_one_member_are_refused(conference):
    """422: nobody knows which of the two values counts."""
    document = change("event", 1, **{"is-open": True, "is_open": False})
    response = conference.ask("PATCH", "/v1/events/1", "ann", document=document)
    assert errors(response) == [("422", "/data/attributes/is_open")]


def test_whole_resources_may_be_sent_back(conference):
    """Clients that send what they read, unchanged fields and links included, are served."""
    sent = conference.get("/v1/talks/2", "cid")["data"]
    sent = {name: sent[name] for name in ("type", "id", "attributes")}
    sent["attributes"]["title"] = "Renamed"
    sent["relationships"] = {"event": to("event", 1)}
    response = conference.ask("PATCH", "/v1/talks/2", "cid", document={"data": sent})
    assert response.status_code == 200, response.text
    assert response.json["data"]["attributes"]["loud"] == "Renamed!"


def test_a_resource_is_created_into_a_list_of_many_to_many(conference):
    """Whoever may change the parent adds a new member; others are refused, with nothing stored."""
    made = conference.ask(
        "POST", "/v1/talks/1/speakers", "cid", document=new("speaker", name="Eli")
    )
    assert made.status_code == 201, made.text
    linked = conference.get("/v1/talks/1/relationships/speakers", "root")["data"]
    assert [one["id"] for one in linked] == ["1", "2", "4"]
    refused = conference.ask(
        "POST", "/v1/talks/1/speakers", "zoe", document=new("speaker", name="X")
    )
    assert refused.status_code == 403
    assert len(conference.rows(Speaker)) == 4


def test_a_change_beside_another_is_a_conflict(conference):
    """409 when the row is gone at the moment of the write."""
    import sqlalchemy as sa

    @conference.resources["event"].before_update
    def delete_it(event):
        from flask import g

        text = sa.text("DELETE FROM event WHERE id = :id")
        g.session.execute(text, {"id": event.id})

    response = conference.ask("PATCH", "/v1/events/3", "ann", document=change("event", 3, name="x"))
    assert response.status_code == 409
    assert len(conference.rows(Event)) == 5
