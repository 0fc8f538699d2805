"""The access matrix: what the policies and endpoints of an app allow, as a page for people.

One table a policy, roles down and verbs across, as handbooks print it: ✓ is "always", ✓ [1] [2]
"when both footnotes hold", and alternatives stand side by side. The page is written from the
declarations themselves, so a check in CI can hold a committed page to the code. ✗ [3] is "never
when footnote 3 holds", whatever else allows it: it stands in the row of the role that is forbidden
and beside the ✓ of the roles whose holders it binds as well.

Source: seed document 003 (the form of the tables).
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from licet.authz.policies.conditions import Always, Condition, Conjunction
from licet.authz.policies.fields import FieldRule
from licet.authz.policies.policy import Denial, Grant, Policy
from licet.authz.policies.roles import Role

__all__ = ["EndpointRow", "Matrix", "PolicyTable", "as_html", "as_json", "as_markdown", "tabulate"]

Cell = tuple[tuple[int, ...], ...]
_ORDER: Final = "✗ goes before every ✓, also for whoever holds several roles"


@dataclass(frozen=True, kw_only=True)
class EndpointRow:
    """One endpoint, one method, and what it says about its access."""

    rule: str
    method: str
    endpoint: str
    access: str


@dataclass(frozen=True, kw_only=True)
class PolicyTable:
    """One policy: for each role and verb its alternatives, each a list of footnotes.

    No alternative is a denial, an alternative without footnotes is a permission always. What is
    forbidden is in `forbidden`, in the same form; it goes before every permission.
    """

    name: str
    verbs: tuple[str, ...]
    roles: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    forbidden: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[str, ...]
    implications: tuple[str, ...]
    fields: tuple[str, ...]
    on_missing_data: tuple[str, ...]
    lost_on_missing_data: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The whole page."""

    policies: tuple[PolicyTable, ...]
    endpoints: tuple[EndpointRow, ...]


def tabulate(policies: Iterable[Policy], endpoints: Iterable[EndpointRow] = ()) -> Matrix:
    """The matrix of these policies and endpoints."""
    return Matrix(policies=tuple(map(_table, policies)), endpoints=tuple(endpoints))


def _table(policy: Policy) -> PolicyTable:
    footnotes: list[str] = []
    roles = list(dict.fromkeys(line.role for line in policy.lines))
    verbs = policy.verbs

    def cell(role: Role, verb: str) -> Cell:
        found = [_numbers(grant, footnotes) for grant in _granted(policy, role, verb)]
        return ((),) if () in found else tuple(dict.fromkeys(found))

    def forbidden(role: Role, verb: str) -> Cell:
        binding = [
            denial
            for denial in policy.denials
            if denial.verbs.covers(verb)
            and (denial.role is role or (cells[role, verb] and _binds(denial, role)))
        ]
        found = [_denied_numbers(denial, footnotes) for denial in binding]
        return ((),) if () in found else tuple(dict.fromkeys(found))

    cells = {(role, verb): cell(role, verb) for role in roles for verb in verbs}
    return PolicyTable(
        name=policy.name,
        verbs=verbs,
        roles=tuple(role.name for role in roles),
        cells=tuple(tuple(cells[role, verb] for verb in verbs) for role in roles),
        forbidden=tuple(tuple(forbidden(role, verb) for verb in verbs) for role in roles),
        footnotes=tuple(footnotes),
        implications=tuple(_implication(role) for role in roles if len(list(role.closure())) > 1),
        fields=tuple(_field_lines(policy)),
        on_missing_data=tuple(policy.grants_on_missing_data()),
        lost_on_missing_data=tuple(policy.denials_lost_on_missing_data()),
    )


def _granted(policy: Policy, role: Role, verb: str) -> list[Grant]:
    return [grant for grant in policy.grants if grant.role is role and grant.verbs.covers(verb)]


def _binds(denial: Denial, role: Role) -> bool:
    """Whether a denial is about holders of `role`, and none of what they have spares them."""
    held = set(role.closure())
    is_of_all = isinstance(denial.role.condition, Always) and denial.role.condition.holds
    return (is_of_all or denial.role in held) and held.isdisjoint(denial.unless)


def _denied_numbers(denial: Denial, footnotes: list[str]) -> tuple[int, ...]:
    spared = [f"unless {' / '.join(one.name for one in denial.unless)}"] if denial.unless else []
    return tuple(sorted((*_numbers(denial, footnotes), *_numbered(spared, footnotes))))


def _numbers(line: Grant | Denial, footnotes: list[str]) -> tuple[int, ...]:
    """The numbers of the line's footnotes; new ones are added at the end."""
    return _numbered(() if line.when is None else _words(line.when), footnotes)


def _numbered(texts: Iterable[str], footnotes: list[str]) -> tuple[int, ...]:
    numbers = []
    for words in texts:
        if words not in footnotes:
            footnotes.append(words)
        numbers.append(footnotes.index(words) + 1)
    return tuple(sorted(numbers))


def _words(condition: Condition) -> list[str]:
    """A footnote for each named part of a conjunction, else one for the whole."""
    if condition.footnote is None and isinstance(condition, Conjunction):
        return [words for part in condition.parts for words in _words(part)]
    return [condition.footnote or str(condition)]


def _implication(role: Role) -> str:
    _, *others = dict.fromkeys(implied.name for implied in role.closure())
    return f"{role.name} also has what {', '.join(others)} has"


def _field_lines(policy: Policy) -> Iterable[str]:
    for rule in policy.field_rules["hide"]:
        yield f"hidden{_unless(rule)}: {', '.join(sorted(rule.names))}"
    for rule in policy.field_rules["readonly"]:
        kind = "the only ones written" if rule.is_only else "read-only"
        yield f"{kind}{_unless(rule)}: {', '.join(sorted(rule.names))}"


def _unless(rule: FieldRule) -> str:
    if not rule.unless:
        return ""
    words = [one.name if isinstance(one, Role) else one.footnote or str(one) for one in rule.unless]
    return f" unless {' / '.join(words)}"


# --- forms ---------------------------------------------------------------------------------------


def as_json(matrix: Matrix) -> str:
    """The matrix for programs."""
    return json.dumps(asdict(matrix), indent=2, ensure_ascii=False) + "\n"


def as_markdown(matrix: Matrix) -> str:
    """The matrix as a page."""
    parts = ["# Access matrix\n"]
    for table in matrix.policies:
        parts.append(f"## {table.name}\n")
        parts.append(_markdown_table(["", *table.verbs], _rows(table)))
        parts.extend(f"{number}. {words}" for number, words in enumerate(table.footnotes, 1))
        parts.append("")
        parts.extend(f"- {line}" for line in _remarks(table))
        parts.append("")
    if matrix.endpoints:
        parts.append("## Endpoints\n")
        rows = [[f"`{e.rule}`", e.method, e.endpoint, e.access] for e in matrix.endpoints]
        parts.append(_markdown_table(["rule", "method", "endpoint", "access"], rows))
    return "\n".join(parts).rstrip("\n") + "\n"


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped) + "\n"


def _rows(table: PolicyTable) -> list[list[str]]:
    return [
        [role, *map(_mark, cells, forbidden)]
        for role, cells, forbidden in zip(table.roles, table.cells, table.forbidden, strict=True)
    ]


def _mark(cell: Cell, forbidden: Cell) -> str:
    parts = [_marked("✓", cell), _marked("✗", forbidden)]
    return ", ".join(filter(None, parts)) or "–"


def _marked(mark: str, cell: Cell) -> str:
    return " or ".join(" ".join([mark, *(f"[{number}]" for number in one)]) for one in cell)


def _remarks(table: PolicyTable) -> list[str]:
    order = [_ORDER] if any(cell for row in table.forbidden for cell in row) else []
    missing = [f"holds also where data is missing: {line}" for line in table.on_missing_data]
    lost = [f"does not hold where data is missing: ✗ {line}" for line in table.lost_on_missing_data]
    return [*order, *table.implications, *table.fields, *missing, *lost]


def as_html(matrix: Matrix) -> str:
    """The matrix as a page of its own, with nothing to load from elsewhere."""
    body: list[str] = ["<h1>Access matrix</h1>"]
    for table in matrix.policies:
        body.append(f"<h2>{html.escape(table.name)}</h2>")
        body.append(_html_table(["", *table.verbs], _rows(table)))
        body.append(_html_list("ol", table.footnotes))
        body.append(_html_list("ul", _remarks(table)))
    if matrix.endpoints:
        rows = [[e.rule, e.method, e.endpoint, e.access] for e in matrix.endpoints]
        body.append("<h2>Endpoints</h2>")
        body.append(_html_table(["rule", "method", "endpoint", "access"], rows))
    return _PAGE.replace("{body}", "\n".join(body))


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    lines = [f"<thead><tr>{cells}</tr></thead>"]
    for first, *others in rows:
        data = "".join(f"<td>{html.escape(cell)}</td>" for cell in others)
        lines.append(f'<tr><th scope="row">{html.escape(first)}</th>{data}</tr>')
    return "<table>" + "\n".join(lines) + "</table>"


def _html_list(tag: str, items: Sequence[str]) -> str:
    inner = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    return f"<{tag}>{inner}</{tag}>" if items else ""


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Access matrix</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
       color: #1b1b1b; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border: 1px solid #999; padding: .35rem .7rem; text-align: left; }
thead th { background: #eef2f5; }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #181a1b; } thead th { background: #2a3035; }
}
</style>
</head>
<body>
{body}
</body>
</html>
"""
