"""The settings of the service."""

from __future__ import annotations

from licet.authz import UPDATE, VIEW
from licet.rest.jsonapi import Resource
from services.open_event import policies
from services.open_event.models import PUBLIC_SETTINGS, SECRET_SETTINGS, STAFF_SETTINGS, Setting

settings = Resource(
    Setting,
    policies.settings,
    name="setting",
    attributes=[*PUBLIC_SETTINGS, *STAFF_SETTINGS, *SECRET_SETTINGS],
    verbs=VIEW | UPDATE,
    is_single=True,
)
