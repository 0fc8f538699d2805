"""Who sees which settings of the service, and who changes them."""

from __future__ import annotations

from licet.authz import UPDATE, VIEW, Policy, everyone
from services.open_event.models import SECRET_SETTINGS, STAFF_SETTINGS, Setting

from .roles import staff

settings = Policy(Setting, name="settings")
settings.allow(staff, VIEW | UPDATE)
settings.allow(everyone, VIEW)
settings.hide(*STAFF_SETTINGS, unless=[staff])
settings.hide(*SECRET_SETTINGS)
settings.readonly("id")
