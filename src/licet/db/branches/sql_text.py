"""SQL text in a form in which two spellings of the same are equal."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "bare",
    "closing",
    "items_of",
    "literals",
    "normal",
    "tokens",
    "without_text_casts",
    "words",
]

_TOKEN: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[\w.]+|\s+|[<>=!|]+|.""",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r"""(["'])(?:(?!\1).|\1\1)*\1""", re.DOTALL)
_TEXT_CAST: Final = re.compile(r"::(?:character varying|text)\b(?!\()(?:\[\])?")
_ATOM: Final = re.compile(r"(?<![\w\x1f] )(?<![\w\x1f])\(([\w.]+|\x1f\d+\x1f)\)")
_ARRAY: Final = re.compile(r"\(\((ARRAY\[[^\[\]]*\])\)\)")
_SPACE: Final = re.compile(r"\s+|--|/\*")


def words(sql: str) -> tuple[str, ...]:
    """The tokens, without spaces and comments; names are unquoted and in lower case."""
    return tuple(_plain(one) for one in tokens(sql))


def tokens(sql: str) -> tuple[str, ...]:
    """The tokens as they are written, without spaces and comments."""
    return tuple(one for one in _TOKEN.findall(sql) if not _SPACE.match(one))


def _plain(token: str) -> str:
    if token[0] in '"`[' and len(token) > 1:
        return token[1:-1].lower()
    return token if token[0] == "'" else token.lower()


def normal(sql: str) -> str:
    """The tokens with one space between, without parentheses around the whole."""
    return " ".join(_without_parentheses(words(sql)))


def bare(sql: str) -> str:
    """The SQL as it is written, without parentheses around the whole."""
    while len(found := tokens(sql)) > 2 and _without_parentheses(found) != found:
        sql = sql.strip()[1:-1]
    return sql


def without_text_casts(sql: str) -> str:
    """An expression of PostgreSQL's without casts between its text types, and their parentheses.

    Its own spelling of one expression changes when a dump is restored: ``(ARRAY['a'::character
    varying])::text[]`` becomes ``ARRAY[('a'::character varying)::text]``.
    """
    quoted: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        quoted.append(found[0])
        return f"\x1f{len(quoted) - 1}\x1f"

    text = _TEXT_CAST.sub("", _QUOTED.sub(put_aside, sql))
    text = _ARRAY.sub(r"(\1)", _ATOM.sub(r"\1", text))
    return re.sub("\x1f(\\d+)\x1f", lambda found: quoted[int(found[1])], text)


def _without_parentheses(found: tuple[str, ...]) -> tuple[str, ...]:
    while len(found) > 1 and found[0] == "(" and closing(found, 0) == len(found) - 1:
        found = found[1:-1]
    return found


def literals(sql: str) -> frozenset[str]:
    """The texts that the SQL holds as literals, unquoted."""
    return frozenset(one[1:-1].replace("''", "'") for one in words(sql) if one[0] == "'")


def items_of(create_table: str) -> list[tuple[str, ...]]:
    """What stands between the commas of a CREATE TABLE: columns and constraints, as tokens."""
    found = tokens(create_table)
    if "(" not in found:
        return []
    start = found.index("(")
    items: list[tuple[str, ...]] = []
    depth, begun = 0, start + 1
    for at in range(start + 1, closing(found, start) + 1):
        depth += {"(": 1, ")": -1}.get(found[at], 0)
        if (found[at] == "," and depth == 0) or depth < 0:
            items.append(found[begun:at])
            begun = at + 1
    return items


def closing(found: tuple[str, ...], start: int) -> int:
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for at in range(start, len(found)):
        depth += {"(": 1, ")": -1}.get(found[at], 0)
        if depth == 0:
            return at
    return len(found) - 1
