"""``utils``; `shortish_id` gives UUIDs as later versions do, 0.12 gave twelve characters."""

import uuid

from licet.actions.documents import now_isoformat
from licet.authn.globus import TypedTTLCache
from licet.authn.identity import principal_urn_regex, uuid_regex

__all__ = ["TypedTTLCache", "now_isoformat", "principal_urn_regex", "shortish_id", "uuid_regex"]


def shortish_id() -> str:
    """A new random id."""
    return str(uuid.uuid4())
