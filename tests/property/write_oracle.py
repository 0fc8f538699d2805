"""What a caller may write, row by row, from two snapshots of all tables that raw SQL took.

Nothing here knows SQLAlchemy's mappings or licet's policies: the rules of `write_models` are said
once more, of plain rows.
"""

from dataclasses import dataclass, field
from typing import Any

TABLES = {
    "room": ("id", "name"),
    "shelf": ("id", "room_id", "curator", "is_open"),
    "helper": ("id", "shelf_id", "who"),
    "book": ("id", "shelf_id", "owner", "title"),
    "loan": ("id", "book_id", "borrower"),
    "remark": ("id", "book_id", "author"),
    "tag": ("id", "owner"),
    "book_tag": ("book_id", "tag_id"),
}
GUARDED = ("room", "shelf", "book", "loan", "remark", "tag")
Snapshot = dict[str, dict[Any, dict[str, Any]]]


def snapshot(connection) -> Snapshot:
    """Every row of every table, by its key."""
    found = {}
    for table, columns in TABLES.items():
        rows = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}").all()
        length = 2 if table == "book_tag" else 1
        found[table] = {row[:length]: dict(zip(columns, row, strict=True)) for row in rows}
    return found


def difference(one: Snapshot, other: Snapshot) -> set[tuple[str, Any]]:
    """The rows, by table and key, that are not the same."""
    return {
        (table, key)
        for table in TABLES
        for key in one[table].keys() | other[table].keys()
        if one[table].get(key) != other[table].get(key)
    }


def _has(rows: Snapshot, row: tuple[str, Any]) -> bool:
    return row[1] in rows[row[0]]


def may(rows: Snapshot, who: str, verb: str, table: str, key: Any) -> bool:
    """Whether the caller may do the verb with a row of a snapshot."""
    row = rows[table][key]
    return _RULES[table](rows, who, verb, row)


def _room(rows, who, verb, row):
    if verb in ("VIEW", "CREATE"):
        return True
    return any(s["room_id"] == row["id"] and s["curator"] == who for s in rows["shelf"].values())


def _shelf(rows, who, verb, row):
    if row["curator"] == who or (verb == "VIEW" and row["is_open"]):
        return True
    helped = any(h["shelf_id"] == row["id"] and h["who"] == who for h in rows["helper"].values())
    return verb == "UPDATE" and helped


def _book(rows, who, verb, row):
    shelf = rows["shelf"].get((row["shelf_id"],))
    on_open = shelf is not None and bool(shelf["is_open"])
    own = row["owner"] == who
    if verb == "CREATE":
        return on_open
    if verb == "VIEW":
        return own or on_open
    if verb == "UPDATE":
        return own or (shelf is not None and shelf["curator"] == who)
    return own and not any(loan["book_id"] == row["id"] for loan in rows["loan"].values())


def _loan(rows, who, verb, row):
    book = rows["book"].get((row["book_id"],))
    if verb == "CREATE":
        shelf = rows["shelf"].get((book["shelf_id"],)) if book else None
        return shelf is not None and bool(shelf["is_open"])
    return row["borrower"] == who or (book is not None and book["owner"] == who)


def _remark(_rows, who, _verb, row):
    return row["author"] == who


def _tag(_rows, who, verb, row):
    return verb in ("VIEW", "CREATE") or row["owner"] == who


_RULES = {
    "room": _room,
    "shelf": _shelf,
    "book": _book,
    "loan": _loan,
    "remark": _remark,
    "tag": _tag,
}


@dataclass
class Ledger:
    """What one transaction touched: `before` is what was, `touched` the rows since, in order.

    A row or a link that is as it was in the end is not asked; of a changed link its ends are, but
    not where the link went with its other end. A parent must allow as much as before, but what a
    child gave may go with it where the child's own policy allows its DELETE.
    """

    who: str
    before: Snapshot
    touched: list[tuple[str, Any]] = field(default_factory=list)

    def refused(self, after: Snapshot) -> list[tuple[str, Any, bool]]:
        """The denied rows with their tables, and whether the caller could see them."""
        asked, parents, losing = set(), set(), set()
        for table, key in self.touched:
            if table == "book_tag":
                if _has(self.before, (table, key)) is _has(after, (table, key)):
                    continue
                book, tag = ("book", key[:1]), ("tag", key[1:])
                asked |= {one for one, other in ((book, tag), (tag, book)) if _has(after, other)}
            elif table in GUARDED and self.before[table].get(key) != after[table].get(key):
                asked.add((table, key))
            is_gone = table in GUARDED and not _has(after, (table, key))
            (losing if is_gone else parents).update(self._parents(table, key, after))
        denied = [one for one in asked if not self._is_allowed(*one, after)]
        denied += [one for one in parents - asked if self._is_changed(*one, after)]
        denied += [
            one
            for one in losing - parents - asked
            if self._is_changed(*one, after) and may(after, self.who, "UPDATE", *one)
        ]
        return [(table, key, self._is_visible(table, key)) for table, key in denied]

    def _is_allowed(self, table: str, key: Any, after: Snapshot) -> bool:
        was, now = key in self.before[table], key in after[table]
        if was and now:
            return all(may(rows, self.who, "UPDATE", table, key) for rows in (self.before, after))
        if was:
            return may(self.before, self.who, "DELETE", table, key)
        return not now or may(after, self.who, "CREATE", table, key)

    def _parents(self, table: str, key: Any, after: Snapshot) -> set[tuple[str, Any]]:
        """Rows whose UPDATE asks rows of this table, and to which this one belongs or belonged."""
        parent, name = {"shelf": ("room", "room_id"), "helper": ("shelf", "shelf_id")}.get(
            table, (None, None)
        )
        if parent is None:
            return set()
        rows = (one[table].get(key) for one in (self.before, after))
        return {(parent, (row[name],)) for row in rows if row is not None and row[name] is not None}

    def _is_changed(self, table: str, key: Any, after: Snapshot) -> bool:
        if key not in self.before[table] or key not in after[table]:
            return False
        was, now = (may(rows, self.who, "UPDATE", table, key) for rows in (self.before, after))
        return was is not now

    def _is_visible(self, table: str, key: Any) -> bool:
        return key not in self.before[table] or may(self.before, self.who, "VIEW", table, key)
