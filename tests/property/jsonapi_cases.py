"""Made-up conferences that look alike to one caller, and queries that callers send.

A conference is a dictionary of tables of rows. `view_of` says in plain Python all that a caller may
see of one; it knows nothing of the library.
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any
from urllib.parse import urlencode

Tables = dict[str, list[dict[str, Any]]]
CALLERS = ["nobody", "ann", "ben", "root"]
NAMES = ["ann", "ben", "cid"]
TRASHED = "2030-01-31 12:00:00.000000"

POOLS: dict[str, dict[str, list[Any]]] = {
    "event": {
        "name": ["a", "B", "a_b", "%", "ä", "é", "Z"],
        "owner": NAMES,
        "is_open": [True, False],
        "budget": [None, -1, 0, 3],
        "rating": [None, 0.5, 2.0],
        "parent_id": [None, 1, 2, 3],
    },
    "talk": {
        "event_id": [1, 2, 3],
        "title": ["", "a", "b", "A", "a%", "_"],
        "state": ["draft", "shown"],
        "creator": [None, *NAMES],
        "note": [None, "x", "y"],
        "deleted_at": [None, None, None, TRASHED],
    },
    "speaker": {
        "name": ["a", "b", "Ä"],
        "email": [None, "a@b", "c@d"],
        "is_public": [True, True, False],
    },
    "file": {"talk_id": [None, 1, 2, 3, 4], "path": ["/a", "/b"]},
    "speaking": {"talk_id": [1, 2, 3, 4], "speaker_id": [1, 2, 3]},
}
FIELDS = {
    "event": ["name", "owner", "is_open", "budget", "rating"],
    "talk": ["title", "state", "note", "deleted_at"],
    "speaker": ["name", "email", "is_public"],
    "file": ["path"],
}
LINKS = {
    "event": {"talks": "talk", "parent": "event", "parts": "event"},
    "talk": {"event": "event", "speakers": "speaker", "files": "file"},
    "speaker": {"talks": "talk"},
    "file": {"talk": "talk"},
}
TO_ONE = {("event", "parent"), ("talk", "event"), ("file", "talk")}
URLS = {"event": "events", "talk": "talks", "speaker": "speakers", "file": "talk-files"}
STRANGE = ["creator", "event_id", "parent_id", "nope", "talk_id"]


def made_up(random: Random) -> Tables:
    """A conference."""
    tables: Tables = {}
    for table, n_most in (("event", 3), ("talk", 4), ("speaker", 3), ("file", 3)):
        tables[table] = [
            {"id": key, **_row(random, table)}
            for key in range(1, random.randint(1 if table != "event" else 3, n_most) + 1)
        ]
    for n, event in enumerate(tables["event"]):
        event["name"] = f"{event['name']}{n}"
    pairs = {tuple(_row(random, "speaking").values()) for _ in range(random.randint(0, 5))}
    tables["speaking"] = [{"talk_id": one, "speaker_id": other} for one, other in sorted(pairs)]
    return _consistent(tables)


def _row(random: Random, table: str) -> dict[str, Any]:
    return {name: random.choice(pool) for name, pool in POOLS[table].items()}


def _consistent(tables: Tables) -> Tables:
    """Without links to rows that are not there."""
    keys = {table: {row["id"] for row in tables[table]} for table in FIELDS}
    for table, name, target in (("event", "parent_id", "event"), ("file", "talk_id", "talk")):
        for row in tables[table]:
            if row[name] not in keys[target]:
                row[name] = None
    tables["talk"] = [row for row in tables["talk"] if row["event_id"] in keys["event"]]
    keys["talk"] = {row["id"] for row in tables["talk"]}
    for row in tables["file"]:
        if row["talk_id"] not in keys["talk"]:
            row["talk_id"] = None
    tables["speaking"] = [
        row
        for row in tables["speaking"]
        if row["talk_id"] in keys["talk"] and row["speaker_id"] in keys["speaker"]
    ]
    return tables


def changed(tables: Tables, caller: str, random: Random) -> Tables:
    """Another conference that looks alike to the caller."""
    view, found = view_of(tables, caller), tables
    for _ in range(60):
        tried = copy.deepcopy(found)
        _change(tried, random)
        if view_of(_consistent(tried), caller) == view:
            found = tried
    return found


def _change(tables: Tables, random: Random) -> None:
    table = random.choice(list(POOLS))
    rows, what = tables[table], random.random()
    if what < 0.15 and rows:
        rows.remove(random.choice(rows))
    elif what < 0.3:
        row = _row(random, table)
        if table == "speaking":
            if row not in rows:
                rows.append(row)
        elif key := next((key for key in range(1, 6) if all(r["id"] != key for r in rows)), None):
            if table == "event":
                row["name"] += f"{key}new{random.random()}"
            rows.append({"id": key, **row})
            rows.sort(key=lambda one: one["id"])
    elif rows and table != "speaking":
        row, name = random.choice(rows), random.choice(list(POOLS[table]))
        row[name] = random.choice(POOLS[table][name])
        if (table, name) == ("event", "name"):
            row[name] += f"{row['id']}+{random.random()}"


def view_of(tables: Tables, caller: str) -> Any:
    """All that the caller may see: rows, their fields, and what they lead to."""
    event = {row["id"]: row for row in tables["event"]}
    talk = {row["id"]: row for row in tables["talk"]}
    staff, known = caller == "root", caller != "nobody"

    def sees_event(row: Any) -> bool:
        return staff or row["is_open"] or row["owner"] == caller

    def runs(row: Any) -> bool:
        return known and (row["creator"] == caller or event[row["event_id"]]["owner"] == caller)

    def may_see_talk(row: Any) -> bool:
        is_shown = event[row["event_id"]]["is_open"] and row["state"] == "shown"
        return staff or runs(row) or is_shown

    def sees_talk(row: Any) -> bool:
        return may_see_talk(row) and row["deleted_at"] is None

    def sees_file(row: Any) -> bool:
        # a condition of the policy goes by the talk as it is, in the trash or not
        of = talk.get(row["talk_id"])
        return staff or (known and of is not None and of["creator"] == caller)

    sees = {
        "event": sees_event,
        "talk": sees_talk,
        "file": sees_file,
        "speaker": lambda row: staff or row["is_public"],
    }
    keys = {t: {row["id"] for row in tables[t] if sees[t](row)} for t in FIELDS}
    trash = [row for row in tables["talk"] if row["deleted_at"] and (staff or runs(row))]
    masked = {
        ("event", "budget"): lambda row: staff or row["owner"] == caller,
        ("event", "rating"): lambda _row: staff,
        ("talk", "note"): lambda row: staff or (known and row["creator"] == caller),
        ("speaker", "email"): lambda _row: staff,
        ("file", "path"): lambda _row: staff,
    }

    def fields(table: str, row: Any) -> Any:
        shown = [n for n in FIELDS[table] if masked.get((table, n), lambda _row: True)(row)]
        links = {"event": "parent_id", "talk": "event_id", "file": "talk_id"}
        to, name = {"event": "event", "talk": "event", "file": "talk"}.get(table), links.get(table)
        one = row[name] if name and to and row[name] in keys[to] else None
        return row["id"], {n: row[n] for n in shown}, one

    seen = {t: [fields(t, r) for r in tables[t] if sees[t](r)] for t in FIELDS}
    thrown = {row["id"] for row in trash}
    pairs = [
        (one["talk_id"], one["speaker_id"])
        for one in tables["speaking"]
        if one["talk_id"] in keys["talk"] | thrown and one["speaker_id"] in keys["speaker"]
    ]
    of_trash = [(f["id"], f["talk_id"]) for f in tables["file"] if f["talk_id"] in thrown]
    return seen, [fields("talk", row) for row in trash], sorted(pairs), of_trash


# --- queries -------------------------------------------------------------------------------------


def url_of(random: Random) -> str:
    """A request that somebody might send."""
    table, key, what = random.choice(list(URLS)), random.randint(1, 3), random.random()
    link = random.choice(list(LINKS[table]))
    path = f"/v1/{URLS[table]}"
    if what < 0.55:
        return f"{path}?{_parameters(random, table)}"
    if what < 0.7:
        return f"{path}/{key}?{_parameters(random, table, is_list=False)}"
    target, is_list = LINKS[table][link], (table, link) not in TO_ONE
    own = "relationships/" if random.random() < 0.4 else ""
    return f"{path}/{key}/{own}{link}?{_parameters(random, target, is_list=is_list)}"


def _parameters(random: Random, table: str, *, is_list: bool = True) -> str:
    found: list[tuple[str, str]] = []
    if random.random() < 0.4:
        found.append(("include", ",".join(_path(random, table) for _ in range(2))))
    if random.random() < 0.2:
        names = random.sample([*FIELDS[table], *LINKS[table]], 2 if table != "file" else 1)
        found.append((f"fields[{table if table != 'file' else 'talk-file'}]", ",".join(names)))
    if table == "talk" and random.random() < 0.15:
        found.append(("filter[deleted]", "true"))
    if not is_list:
        return urlencode(found)
    if random.random() < 0.5:
        way = random.choice(["", "-"])
        found.append(("sort", way + _field(random, table, is_sorted=True)))
    if random.random() < 0.7:
        found.append(("filter", json.dumps([_node(random, table, 1)])))
    if random.random() < 0.4:
        found.append(("page[size]", str(random.randint(1, 3))))
        found.append(("page[number]", str(random.randint(1, 2))))
    elif random.random() < 0.2:
        found += [("page[size]", "1"), ("page[after]", "")]
    return urlencode(found)


def _path(random: Random, table: str) -> str:
    names = []
    for _ in range(random.randint(1, 3)):
        name = random.choice(list(LINKS[table]))
        names.append(name)
        table = LINKS[table][name]
    return ".".join(names)


def _field(random: Random, table: str, *, is_sorted: bool = False) -> str:
    links = [one for one in LINKS[table] if not is_sorted or (table, one) in TO_ONE]
    if links and random.random() < 0.3:
        link = random.choice(links)
        return f"{link}.{_field(random, LINKS[table][link], is_sorted=is_sorted)}"
    return random.choice([*FIELDS[table] * 3, "id", random.choice(STRANGE)])


VALUES: dict[str, list[Any]] = {
    **{name: pool for pools in POOLS.values() for name, pool in pools.items()},
    "id": ["1", 1, 2, 3],
    "nope": [1],
}


def _node(random: Random, table: str, depth: int) -> Any:
    what = random.random()
    if depth < 4 and what < 0.15:
        parts = [_node(random, table, depth + 1) for _ in range(2)]
        return {random.choice(["and", "or"]): parts}
    if depth < 4 and what < 0.25:
        return {"not": _node(random, table, depth + 1)}
    if depth < 4 and what < 0.55:
        link = random.choice(list(LINKS[table]))
        op = "has" if (table, link) in TO_ONE else "any"
        inner = _node(random, LINKS[table][link], depth + 1)
        return {"name": link, "op": op, "val": inner}
    name = _field(random, table)
    value = random.choice(VALUES.get(name.rpartition(".")[2], [1]))
    ops = ["eq", "ne", "gt", "le", "in_", "notin_", "is_", "isnot"]
    is_text = isinstance(value, str) and not name.endswith(("id", "state"))
    op = random.choice([*ops, "like", "ilike"] if is_text else ops)
    if value is None or isinstance(value, bool) or name.endswith("state"):
        op = random.choice(["eq", "ne"])
    if op in ("in_", "notin_"):
        value = [value]
    elif op in ("is_", "isnot"):
        value = None
    elif op in ("like", "ilike"):
        value = random.choice(["a%", "%b", "_", "%", "A"])
    return {"name": name, "op": op, "val": value}
