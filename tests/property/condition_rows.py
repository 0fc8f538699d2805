"""Generated rows and callers, from pools in which the traps are frequent."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from hypothesis import strategies as st
from tests.property.condition_models import MODELS, ONE, TWO, Backwards, Color, Planet, Shade
from tests.property.condition_oracle import Row, World

from licet.db.types import UTCDateTime

__all__ = [
    "ASKED_KINDS",
    "KIND_NAMES",
    "OTHER",
    "Pools",
    "attribute_name",
    "callers",
    "operand_pools",
    "several",
    "worlds",
]

_TEXTS = [
    *("", " ", "a", "A", "b", "B", "ab", "aB", "AB", "a ", "z", "Z", "ss", "ß", "ẞ", "i", "I"),
    *("İ", "ı", "é", "e\u0301", "ﬀ", "a\u200b", "-a", "ab\u0301", "ÿ", "Ω", "\uffff", "\U0001f600"),
    *("%", "_", "a%", "a_b", "\\", "\\%", "\\_", "'", '"', "''", "{", "{a,b}", ",", "[1]", "NULL"),
    *("0", "1", "01", "10", "9", "1e5", "\n", "\t", "abcdefgh", "abcdefgH", ":x", "%s", "%(x)s"),
]
_LONG_TEXTS = ["abcdefghi", "abcdefgh ", "abcdefgha", "a" * 300]
_SMALL = [-(2**15), -(2**15) + 1, -2, -1, 0, 1, 2, 9, 10, 2**15 - 1]
_NUMBERS = [*_SMALL, -(2**31), 2**31 - 1, 2**15, -(2**15) - 1]
_BIG = [*_NUMBERS, -(2**63), 2**63 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**53]
_BEYOND = [2**63, -(2**63) - 1, 10**30, -(10**30)]
_DAYS = [date.min, date(999, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date(2024, 12, 31)]
_DAYS += [date(1969, 12, 31), date(2024, 10, 27), date.max]
_NOON = datetime(2024, 10, 27, 1, 30, tzinfo=UTC)
_TWICE = [_NOON, _NOON - timedelta(hours=1)]  # 02:30 in Berlin, both
_MOMENTS = [
    datetime.min.replace(tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    *_TWICE,
    *_TWICE,
    _NOON + timedelta(microseconds=1),
    datetime.max.replace(tzinfo=UTC),
]
_BERLIN = ZoneInfo("Europe/Berlin")
_MOMENTS_ELSEWHERE = [
    _NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30))),
    *[moment.astimezone(_BERLIN) for moment in _TWICE],
]
_NUMBERS_2 = [
    *("0", "0.00", "-0.00", "0.01", "-0.01", "0.10", "0.30", "1.00", "1.10", "8.20", "100", "0.29"),
    *("9999999.99", "-9999999.99", "4.35", "1.01"),
]
_NUMBERS_6 = [*_NUMBERS_2, "0.000001", "-0.000001", "0.100001", "999999999.999999", "1.005", "0.3"]
_NUMBERS_BETWEEN = [
    *("-0", "1E+2", "1.1", "1.100000000", "0.005", "0.015", "0.105", "1.0050000001", "1E-20"),
    *(
        "1E+30",
        "-1E+30",
        "9999999.994",
        "9999999.995",
        "1E+300",
        "0.29999999999999999",
        "0.0000005",
    ),
]
_KEYS = [UUID(int=n) for n in (0, 1, 0x1E5, 2**64, 2**127, 2**127 - 1, 2**128 - 1)]
Pools = dict[str, list[Any]]
OTHER = "other"
ROW_POOLS: Pools = {
    "integer 15": _SMALL,
    "integer 31": _NUMBERS,
    "integer 63": _BIG,
    "text": _TEXTS,
    "text 2": [text for text in _TEXTS if len(text) <= 2],
    "flag": [False, True],
    "uuid": _KEYS,
    "day": _DAYS,
    "moment": _MOMENTS,
    "enum Color": list(Color),
    "enum Shade": list(Shade),
    "enum Planet": list(Planet),
    "choice one": list(ONE),
    "choice two": list(TWO),
    "number 2": [Decimal(text) for text in _NUMBERS_2],
    "number 6": [Decimal(text) for text in _NUMBERS_6],
    "other json": [sa.JSON.NULL, sa.JSON.NULL, {}, [], 0, False, "null", {"a": None}],
    "other bytes": [b"", b"\0"],
    "other pickle": [0, "", {"a": 1}],
    "other float": [0.0, 1.5],
    "other many": [[], [0]],
    "other text": ["", "ab"],
}
_OPERAND_POOLS = ROW_POOLS | {
    OTHER: [0],
    "number": [*(Decimal(text) for text in (*_NUMBERS_6, *_NUMBERS_BETWEEN)), 0, 1, 100, 10**40],
    "integer": [*_BIG, *_BEYOND],
    "text": [*_TEXTS, *_LONG_TEXTS],
    "moment": [*_MOMENTS, *_MOMENTS_ELSEWHERE, *_MOMENTS_ELSEWHERE],
}
# what no check may be granted on
_WRONG: dict[str, list[Any]] = {
    "integer": [True, "1", 1.0],
    "text": ["a\0b", "\ud800", 1, b"a"],
    "flag": [1, "t"],
    "uuid": [str(_KEYS[1]), 1],
    "day": [datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29"],
    "moment": [
        datetime(2024, 2, 29),  # noqa: DTZ001 - that is what is wrong
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        date(2024, 2, 29),
    ],
    "enum Color": ["RED", "r", Shade.DARK],
    "enum Shade": ["DARK", Color.RED],
    "enum Planet": ["earth", "EARTH", Color.RED],
    "choice one": [Shade.DARK, 1, b"draft"],
    "choice two": [Shade.DARK, 1],
    "number": [1.5, True, "1", Decimal("NaN"), Decimal("Infinity"), Decimal("1E+301")],
}
# what no column has, and no constant can be
_STRANGE: dict[str, list[Any]] = {
    "choice one": ["zz", "draft ", "a\0b", "\ud800"],
    "choice two": ["a", "Done", "a\0b"],
}
KIND_NAMES = list(_WRONG)
_MISSING = object()


# --- rows ----------------------------------------------------------------------------------------


def _kind(column: Any) -> str:
    """The name of the pool that a column's values are from."""
    column_type = column.type
    if isinstance(column_type, sa.Enum):
        if column_type.enum_class is None:
            return "choice one" if column_type.enums == list(ONE) else "choice two"
        return f"enum {column_type.enum_class.__name__}"
    if column.name == "many":
        return "other many"
    if isinstance(column_type, sa.BigInteger):
        return "integer 63"
    if isinstance(column_type, sa.SmallInteger):
        return "integer 15"
    for wanted, kind in (
        (sa.Integer, "integer 31"),
        (sa.String, "text 2" if getattr(column_type, "length", None) else "text"),
        (sa.Boolean, "flag"),
        (sa.Uuid, "uuid"),
        (sa.Date, "day"),
        (UTCDateTime, "moment"),
        (sa.DateTime, "moment"),
        (sa.JSON, "other json"),
        (sa.LargeBinary, "other bytes"),
        (sa.PickleType, "other pickle"),
        (sa.Float, "other float"),
        (sa.Numeric, f"number {getattr(column_type, 'scale', None)}"),
        (Backwards, "other text"),
    ):
        if isinstance(column_type, wanted):
            return kind
    raise NotImplementedError(column_type)


_COLUMNS = {
    table: {prop.key: prop.columns[0] for prop in sa.inspect(model).column_attrs}
    for table, model in MODELS.items()
}
_KEY_COLUMNS = {
    "person": {"id"},
    "passport": {"id", "person_id"},
    "place": {"id"},
    "tag": {"id"},
    "item": {"id", "owner_id", "reviewer_id", "place_id", "parent_id"},
    "shelf": {"row", "code"},
    "box": {"id", "shelf_row", "shelf_code"},
}


def _asked_kind(kind: str) -> str:
    """What conditions can ask of columns with such values."""
    return kind.split(maxsplit=1)[0] if kind[-1].isdigit() or kind.startswith(OTHER) else kind


KINDS = {
    table: {name: _kind(column) for name, column in columns.items()}
    for table, columns in _COLUMNS.items()
}
ASKED_KINDS = {
    table: {name: _asked_kind(kind) for name, kind in kinds.items()}
    for table, kinds in KINDS.items()
}


_any_text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few rows in every table; any of them may be empty but that of places."""
    pools = dict(ROW_POOLS)  # and a few values that nobody thought of
    pools["text"] = [*_TEXTS, *draw(st.lists(_any_text, max_size=2))]
    pools["integer 63"] = [*_BIG, *draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=1))]

    def pick(values: list[Any]) -> Any:
        return draw(st.sampled_from(values))

    def rows(table: str, keys: list[Row]) -> list[Row]:
        return [key | cells(table) for key in keys]

    def cells(table: str) -> Row:
        found: Row = {}
        for name, column in _COLUMNS[table].items():
            if name not in _KEY_COLUMNS[table]:
                pool = pools[KINDS[table][name]]
                nulls = len(pool) // 3 + 1 if column.nullable else 0
                index = draw(st.integers(-nulls, len(pool) - 1))
                found[name] = pool[index] if index >= 0 else None
        return found

    def count(most: int) -> int:
        return draw(st.sampled_from([most, most, *range(most, -1, -1)]))

    places = [{"id": key} for key in _KEYS[: 1 + count(1)]]
    people = [{"id": number} for number in (3, 1, 5, 2)[: count(4)]]
    person_ids = [None, *[row["id"] for row in people]]
    passports = [
        {"id": row["id"] + 10, "person_id": row["id"]} for row in people if draw(st.booleans())
    ]
    tags = [{"id": number} for number in (2, -(2**63), 2**63 - 1)[: count(3)]]
    items = [
        {
            "id": number,
            "owner_id": pick(person_ids),
            "reviewer_id": pick(person_ids),
            "place_id": pick(places)["id"],
            "parent_id": pick([None, *range(1, number + 1)]),
        }
        for number in range(1, 1 + count(6))
    ]
    shelves = [{"row": 1, "code": "a"}, {"row": 1, "code": "A"}, {"row": 2, "code": "a"}][
        : count(3)
    ]
    shelf_keys = [(None, None), (1, None), *[(row["row"], row["code"]) for row in shelves]]
    boxes = [
        {"id": number, "shelf_row": key[0], "shelf_code": key[1]}
        for number, key in enumerate(draw(st.lists(st.sampled_from(shelf_keys), max_size=4)))
    ]
    tables = {
        "person": rows("person", people),
        "passport": rows("passport", passports),
        "place": rows("place", places),
        "tag": rows("tag", tags),
        "item": rows("item", items),
        "shelf": rows("shelf", shelves),
        "box": rows("box", boxes),
        "friendship": _linked(draw, ("person_id", people), ("friend_id", people)),
        "item_tag": _linked(draw, ("item_id", items), ("tag_id", tags)),
    }
    return World(tables, ASKED_KINDS, pick(_MOMENTS))


_ALMOST: dict[str, Callable[[Any], list[Any]]] = {
    "text": lambda one: [one + "a", one[:1], one[:-1] + "_", one[:1] + "%", one.swapcase()],
    "integer": lambda one: [one, one + 1],
    "number": lambda one: [one, one.normalize(), one + Decimal("0.005"), int(one)],
    "moment": lambda one: [one.astimezone(_BERLIN)] if one in _TWICE else [],
}


def operand_pools(world: World) -> Pools:
    """What conditions compare with: as often as not a value that is in the world, or almost is."""
    present: dict[str, list[Any]] = {kind: [] for kind in _OPERAND_POOLS}
    for table, kinds in ASKED_KINDS.items():
        for row in world.tables[table]:
            for name, kind in kinds.items():
                if row[name] is not None:
                    present[kind].append(row[name])
    for kind, almost in _ALMOST.items():
        present[kind] = [new for one in present[kind] for new in (one, *almost(one))]
    pools: Pools = {}
    for kind, values in _OPERAND_POOLS.items():
        there = present[kind][:: 1 + len(present[kind]) // len(values)]
        pools[kind] = [*values, *(there * (len(values) // len(there)) if there else [])]
    return pools


def _linked(draw: st.DrawFn, one: tuple[str, list[Row]], other: tuple[str, list[Row]]) -> list[Row]:
    pairs = [{one[0]: a["id"], other[0]: b["id"]} for a in one[1] for b in other[1]]
    chosen = draw(st.integers(0, 2 ** len(pairs) - 1))
    return [pair for index, pair in enumerate(pairs) if chosen >> index & 1]


# --- callers -------------------------------------------------------------------------------------


@st.composite
def callers(draw: st.DrawFn, pools: Pools, *, may_be_wrong: bool) -> Any:
    """An identity with some of the attributes that conditions ask for.

    ``caller.integer`` is one value, ``caller.integers`` a collection, ``caller.claims.integer`` is
    a key of a mapping; for each kind.
    """
    claims: dict[str, Any] = {}
    identity: dict[str, Any] = {"claims": claims}
    for kind in KIND_NAMES:
        pool = [*pools[kind], *_STRANGE.get(kind, [])]
        wrong = _WRONG[kind] if may_be_wrong else []
        name = attribute_name(kind)
        for where in (identity, claims):
            instead = [_MISSING, None, *wrong] * (1 + len(pool) // 12)
            index = draw(st.integers(-len(instead), len(pool) - 1))
            value = pool[index] if index >= 0 else instead[index]
            if value is not _MISSING:
                where[name] = value
        members = draw(_collections(pool, wrong))
        if members is not _MISSING:
            identity[f"{name}s"] = members
    return SimpleNamespace(**identity)


def _collections(pool: list[Any], wrong: list[Any]) -> st.SearchStrategy[Any]:
    some = st.builds(
        lambda kind, values: kind(values),
        st.sampled_from([list, tuple, set, frozenset]),
        several([*pool, None]),
    )
    rest = st.sampled_from([_MISSING, None, [], frozenset(), {None}])
    if wrong:
        odd = st.sampled_from([*[[pool[0], one] for one in wrong], "text", {"a": 1}, 5])
        return st.one_of(some, some, rest, odd)
    return st.one_of(some, some, rest)


def several(pool: list[Any]) -> st.SearchStrategy[list[Any]]:
    """A few values of a pool, perhaps among a hundred others of the same type."""
    few = st.lists(st.sampled_from(pool), max_size=3)
    some = st.lists(st.sampled_from(pool), min_size=5, max_size=8)
    return st.one_of(few, some, some.map(lambda values: [*values, *_filler(pool)]))


def _filler(pool: list[Any]) -> list[Any]:
    """A hundred more values of the pool's type, where it has so many."""
    match pool[0]:
        case enum.Enum() | bool():
            return []
        case Decimal():
            return [Decimal(number) / 8 for number in range(200, 320)]
        case str() if pool[0] in (ONE[0], TWO[0]):
            return []
        case str():
            return [f"{number}'\\\"{{" for number in range(120)]
        case int():
            return list(range(100, 220))
        case UUID():
            return [UUID(int=number) for number in range(1000, 1120)]
        case datetime():
            return [_NOON + timedelta(days=number) for number in range(1, 121)]
        case _:
            return [date(2020, 1, 1) + timedelta(days=number) for number in range(120)]


def attribute_name(kind: str) -> str:
    """The caller's attribute that holds a value of the kind."""
    return kind.replace(" ", "_").lower()
