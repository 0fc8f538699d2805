"""What differs between two tables, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from licet.db.branches.checks.schema import CHECK, Column, Rule, Table
from licet.db.branches.sql_text import literals, words

__all__ = [
    "Difference",
    "columns_that_differ",
    "options_that_differ",
    "rules_that_differ",
    "without_both",
]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One finding.

    `kind` is stable, such as ``missing_column``; `subject` is the table, table.column, model or
    revision; `text` is a sentence for people.
    """

    kind: str
    subject: str
    text: str

    def __str__(self) -> str:
        return self.text


def options_that_differ(name: str, models: Table, database: Table) -> Iterator[Difference]:
    """What a table of SQLite's is beside its columns: STRICT, WITHOUT ROWID, AUTOINCREMENT."""
    if models.options != database.options:
        here, there = (", ".join(one.options) or "none" for one in (database, models))
        text = f"{name} has the options {here} in the database, and {there} in the models."
        yield Difference(kind="changed_options", subject=name, text=text)


def columns_that_differ(name: str, models: Table, database: Table) -> Iterator[Difference]:
    """Columns that are missing, left over or of another kind; `name` is the table's."""
    for column, expected in models.columns.items():
        subject = f"{name}.{column}"
        if column not in database.columns:
            text = f"{subject} is missing: the models have the column, the database has not."
            yield Difference(kind="missing_column", subject=subject, text=text)
        else:
            yield from _column(subject, expected, database.columns[column])
    for column in database.columns:
        if column not in models.columns:
            subject = f"{name}.{column}"
            text = f"{subject} is left over: the database has the column, no model has."
            yield Difference(kind="leftover_column", subject=subject, text=text)


def _column(subject: str, models: Column, database: Column) -> Iterator[Difference]:
    if models.type != database.type or models.extra != database.extra:
        here, there = _kind(database), _kind(models)
        text = f"{subject} is {here} in the database, and {there} in the models."
        yield Difference(kind="changed_type", subject=subject, text=text)
    if models.nullable != database.nullable:
        text = (
            f"{subject} takes NULL in the database, and does not in the models."
            if database.nullable
            else f"{subject} does not take NULL in the database, and does in the models."
        )
        yield Difference(kind="changed_nullability", subject=subject, text=text)
    if models.default != database.default:
        here, there = database.default or "none", models.default or "none"
        text = (
            f"{subject} has the server default {here} in the database, and {there} in the models."
        )
        yield Difference(kind="changed_default", subject=subject, text=text)
    if models.type == database.type:
        yield from _values(subject, frozenset(models.values), frozenset(database.values))


def _kind(column: Column) -> str:
    return f"{column.type} {column.extra}".rstrip()


def _values(
    subject: str, models: Collection[str], database: Collection[str]
) -> Iterator[Difference]:
    for value in sorted(set(models) - set(database)):
        text = f"{subject} lacks the value {value!r} in the database: the models have it."
        yield Difference(kind="missing_enum_value", subject=subject, text=text)
    for value in sorted(set(database) - set(models)):
        text = f"{subject} has the value {value!r} in the database: the models have not."
        yield Difference(kind="leftover_enum_value", subject=subject, text=text)


def rules_that_differ(
    name: str, models: Table, database: Table, named: Collection[str]
) -> Iterator[Difference]:
    """Constraints and indexes that are missing, left over, changed or called otherwise.

    Args:
        name: the table's.
        models: as the code has it.
        database: as it is.
        named: names that the models give; others are the database's own, and do not count.
    """
    missing, extra = without_both(models.rules, database.rules)
    for rule in missing:
        other = _counterpart(rule, extra)
        if other is None:
            text = f"{name} lacks {_shown(rule)}: the models have it, the database has not."
            yield Difference(kind=f"missing_{_slug(rule)}", subject=name, text=text)
            continue
        extra.remove(other)
        yield from _changed(name, rule, other)
    for rule in extra:
        text = f"{name} has {_shown(rule)} left over: the database has it, no model has."
        yield Difference(kind=f"leftover_{_slug(rule)}", subject=name, text=text)
    yield from _renamed(name, models.rules, database.rules, named)


def without_both(
    models: tuple[Rule, ...], database: tuple[Rule, ...]
) -> tuple[list[Rule], list[Rule]]:
    """The rules that only the models have, and those that only the database has."""
    wanted = Counter(rule.what_it_does for rule in models)
    found = Counter(rule.what_it_does for rule in database)
    return _rest(models, wanted - found), _rest(database, found - wanted)


def _rest(rules: tuple[Rule, ...], left: Counter[tuple[str, str]]) -> list[Rule]:
    rest = []
    for rule in rules:
        if left[rule.what_it_does] > 0:
            left[rule.what_it_does] -= 1
            rest.append(rule)
    return rest


def _counterpart(rule: Rule, among: list[Rule]) -> Rule | None:
    """The rule that it was before it was changed."""
    alike = [one for one in among if one.kind == rule.kind]
    for one in alike:
        if one.name is not None and one.name == rule.name:
            return one
    if rule.kind == CHECK:
        return next((one for one in alike if _frame(one.text) == _frame(rule.text)), None)
    return None


def _frame(text: str) -> frozenset[str]:
    """A condition without the values that it compares with."""
    return frozenset(one for one in words(text) if one[0] not in "',")


def _changed(name: str, models: Rule, database: Rule) -> Iterator[Difference]:
    if models.kind == CHECK and _frame(models.text) == _frame(database.text):
        subject = f"{name} ({models.name or models.text})"
        yield from _values(subject, literals(models.text), literals(database.text))
        return
    text = (
        f"{name} has the {models.kind} {models.name} as {database.text} in the database, and as "
        f"{models.text} in the models."
    )
    yield Difference(kind=f"changed_{_slug(models)}", subject=name, text=text)


def _renamed(
    name: str, models: tuple[Rule, ...], database: tuple[Rule, ...], named: Collection[str]
) -> Iterator[Difference]:
    for rule in models:
        if rule.name is None or rule.name not in named:
            continue
        same = [one for one in database if one.what_it_does == rule.what_it_does]
        names = {one.name for one in same}
        if same and None not in names and rule.name not in names:
            text = (
                f"{name} has the {rule.kind} {min(map(str, names))} in the database, which the "
                f"models call {rule.name}."
            )
            yield Difference(kind=f"renamed_{_slug(rule)}", subject=name, text=text)


def _slug(rule: Rule) -> str:
    return (
        rule.kind.split()[0].lower()
        if rule.kind.endswith("constraint")
        else (rule.kind.replace(" ", "_").lower())
    )


def _shown(rule: Rule) -> str:
    return f"the {rule.kind} {rule.name + ' ' if rule.name else ''}{rule.text}"
