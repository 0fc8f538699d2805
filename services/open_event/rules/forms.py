"""Custom forms: their own rules, and how they bind sessions and speakers."""

from __future__ import annotations

import json
import re
from typing import Any

import sqlalchemy as sa

from licet.authn.accounts.documents import check_address
from licet.authz.flask import current_session
from licet.rest.jsonapi.errors import Problem
from licet.rest.jsonapi.names import by_name, found_in
from services.open_event.access import has_event_access
from services.open_event.models import CustomForm, FieldType
from services.open_event.resources.parts import custom_forms
from services.open_event.resources.program import sessions, speakers

from .parts import event_of
from .refusals import attribute, conflict, invalid, is_changed, is_short, refuse, relationship, was
from .turns import take_turn

MOST_COMPLEX = 30
MOST_TEXT = 10_000
NOT_ASKED = ("event", "creator", "user", "complex_field_values")
STANDARD = {
    resource.type: by_name(
        (name, name)
        for name in (*resource.attributes, *resource.relationships)
        if name not in NOT_ASKED
    )
    for resource in (sessions, speakers)
}
BINDING = (*STANDARD, "attendee")
LINKS = {resource.type: frozenset(resource.relationships) for resource in (sessions, speakers)}


# --- the fields themselves -----------------------------------------------------------------------


@custom_forms.before_create
def check_new(field: CustomForm) -> None:
    field.is_complex = _is_complex(field)
    _check(field)
    event = event_of(field)
    if event is not None and has_event_access(event.id) and _is_taken(field, event.id):
        detail = f"The form {field.form} has a field {field.field_identifier} already."
        raise conflict(detail, pointer=attribute("field_identifier"))


@custom_forms.after_create
def check_number(field: CustomForm) -> None:
    """At most thirty complex fields a form; one at a time, so that nobody adds one more."""
    if not field.is_complex:
        return
    take_turn(field.event_id)
    number = current_session().scalar(
        sa.select(sa.func.count()).where(
            CustomForm.event_id == field.event_id,
            CustomForm.form == field.form,
            CustomForm.is_complex.is_(True),
        )
    )
    if number is not None and number > MOST_COMPLEX:
        raise conflict(f"A form has at most {MOST_COMPLEX} fields of its own.")


@custom_forms.before_update
def check_changed(field: CustomForm) -> None:
    if was(field, "is_fixed"):
        raise conflict("This field is fixed: it cannot be changed.", code="fixed_field")
    field.is_complex = _is_complex(field)
    _check(field)


@custom_forms.after_update
def check_number_changed(field: CustomForm) -> None:
    check_number(field)


@custom_forms.before_delete
def keep_fixed(field: CustomForm) -> None:
    if field.is_fixed:
        raise conflict("This field is fixed: it cannot be deleted.", code="fixed_field")


def _is_complex(field: CustomForm) -> bool:
    standard = STANDARD.get(field.form or "")
    return standard is not None and found_in(standard, field.field_identifier or "") is None


def _is_taken(field: CustomForm, event_id: int) -> bool:
    others = sa.select(CustomForm.id).where(
        CustomForm.event_id == event_id,
        CustomForm.form == field.form,
        CustomForm.field_identifier == field.field_identifier,
    )
    with current_session().no_autoflush:
        return current_session().scalar(others) is not None


def _check(field: CustomForm) -> None:
    low, high = field.min, field.max
    refuse(
        invalid("field_identifier", "field-identifier must not be empty.")
        if field.field_identifier is not None and not field.field_identifier.strip()
        else None,
        invalid("max", "max must not be less than min.")
        if low is not None and high is not None and high < low
        else None,
        _options(field),
        invalid("translations", f"translations have at most {MOST_TEXT} characters in JSON.")
        if len(json.dumps(field.translations)) > MOST_TEXT
        else None,
    )


def _options(field: CustomForm) -> Problem | None:
    options = field.options
    if field.type is not FieldType.SELECT:
        return None if options is None else invalid("options", "Only select fields have options.")
    is_list = isinstance(options, list) and 0 < len(options) <= 500
    if is_list and all(map(_is_option, options or ())):
        return None
    return invalid("options", 'A select field has options: {"value", "name", "position"}.')


def _is_option(one: Any) -> bool:
    if not isinstance(one, dict) or not one.keys() <= {"value", "name", "position"}:
        return False
    name, position = one.get("name"), one.get("position")
    is_named = is_short(one.get("value")) and (name is None or is_short(name))
    return is_named and (position is None or type(position) is int)


# --- what they bind ------------------------------------------------------------------------------


def touches_form(owner: Any, form: str) -> bool:
    """Whether a change, not flushed yet, touches what a form asks for."""
    if is_changed(owner, "complex_field_values"):
        return True
    asked = {found_in(STANDARD[form], one.field_identifier) for one in _fields(owner, form)}
    return any(is_changed(owner, name) for name in asked if name is not None)


def check_form(owner: Any, form: str) -> None:
    """Hold a session or speaker to its event's form.

    Raises:
        Refused: 422, with each field that is missing, unknown or of another type.
    """
    fields = _fields(owner, form)
    values = owner.complex_field_values
    if values is not None and not isinstance(values, dict):
        refuse(invalid("complex_field_values", "complex-field-values is an object."))
    values = values or {}
    known = {one.field_identifier: one for one in fields if one.is_complex}
    unknown = [
        invalid("", f"The form has no field {name[:60]!r}.", place=_place(name))
        for name in values
        if name not in known
    ]
    wrong = [_misfit(known[name], value) for name, value in values.items() if name in known]
    refuse(*unknown, *wrong, *(_missing(owner, form, one, values) for one in fields))


def _fields(owner: Any, form: str) -> list[CustomForm]:
    event = event_of(owner)
    if event is None:
        return []
    statement = sa.select(CustomForm).where(
        CustomForm.event_id == event.id, CustomForm.form == form
    )
    with current_session().no_autoflush:
        return list(
            current_session().scalars(statement.order_by(CustomForm.position, CustomForm.id))
        )


def _missing(owner: Any, form: str, field: CustomForm, values: dict[str, Any]) -> Problem | None:
    if not (field.is_included and field.is_required):
        return None
    name = found_in(STANDARD[form], field.field_identifier)
    with current_session().no_autoflush:
        value = values.get(field.field_identifier) if name is None else getattr(owner, name)
    if not (value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())):
        return None
    detail = f"The event's form requires {field.name or field.field_identifier}."
    if name is None:
        return invalid("", detail, place=_place(field.field_identifier))
    return invalid(name, detail, place=relationship(name) if name in LINKS[form] else None)


def _place(identifier: str) -> str:
    escaped = identifier.replace("~", "~0").replace("/", "~1")
    return f"{attribute('complex_field_values')}/{escaped}"


def _misfit(field: CustomForm, value: Any) -> Problem | None:
    """What is wrong with the value of a complex field; None of one that is not given."""
    if value is None:
        return None
    wanted = _wanted(field, value)
    if wanted is None:
        return None
    name = field.field_identifier
    return invalid("", f"{name} must be {wanted}.", place=_place(name))


def _wanted(field: CustomForm, value: Any) -> str | None:
    match field.type:
        case FieldType.BOOLEAN | FieldType.CHECKBOX:
            return None if isinstance(value, bool) else "true or false"
        case FieldType.NUMBER:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return None if is_number and _fits(field, value) else f"a number{_bounds(field)}"
        case FieldType.YEAR:
            is_year = re.fullmatch(r"[0-9]{4}", str(value)) and _fits(field, int(value))
            return None if is_year else f"a year of four digits{_bounds(field)}"
        case FieldType.SELECT:
            choices = [one["value"] for one in field.options or ()]
            return None if value in choices else f"one of {', '.join(choices)}"
    return _wanted_text(field, value)


def _wanted_text(field: CustomForm, value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        return f"a text of at most {MOST_TEXT} characters"
    if field.type is FieldType.EMAIL:
        try:
            check_address(value)
        except ValueError:
            return "an address of the form somebody@example.org"
    if field.type in (FieldType.FILE, FieldType.IMAGE):
        return None if value.startswith(("https://", "http://")) else "a URL"
    return None if _fits(field, len(value)) else f"a text of a length{_bounds(field)}"


def _fits(field: CustomForm, number: float) -> bool:
    is_least = field.min is None or number >= field.min
    return is_least and (field.max is None or number <= field.max)


def _bounds(field: CustomForm) -> str:
    least = "" if field.min is None else f" from {field.min}"
    return least + ("" if field.max is None else f" up to {field.max}")
