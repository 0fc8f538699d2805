"""What has to have a name has one that can be read: blanks alone are none."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from licet.rest.jsonapi import Resource
from services.open_event.resources import RESOURCES
from services.open_event.resources.events import events

from .refusals import invalid, is_changed, refuse


def check_name_of(resource: Resource) -> None:
    """Have the name of a resource, or its title, checked whenever it is written."""
    columns = sa.inspect(resource.model).columns
    known = [one for one in ("name", "title") if one in resource.attributes]
    names = [one for one in known if not columns[one].nullable]

    @resource.before_create
    @resource.before_update
    def check(owner: Any) -> None:
        changed = [(name, getattr(owner, name)) for name in names if is_changed(owner, name)]
        blank = [name for name, value in changed if isinstance(value, str) and not value.strip()]
        refuse(*(invalid(name, f"{name} must not be empty.") for name in blank))


for one in RESOURCES:
    if one is not events:  # a draft is named before it is published
        check_name_of(one)
