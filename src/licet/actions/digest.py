"""What "the same request" means: one digest for everything that a request asks."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Final

from licet.actions.documents import ActionRequest

__all__ = ["request_digest"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def request_digest(request: ActionRequest) -> str:
    """SHA-256 over the canonical JSON of a parsed request, in hexadecimal.

    Known fields only, defaults filled in, sets and object members sorted: two requests have the
    same digest exactly when they ask for the same.
    """
    deadline, release_after = request.deadline, request.release_after
    fields = {
        "request_id": request.request_id,
        "body": request.body,
        "label": request.label,
        "deadline": None if deadline is None else str(deadline - _EPOCH),
        "release_after": None if release_after is None else release_after.total_seconds(),
        "monitor_by": sorted(request.monitor_by),
        "manage_by": sorted(request.manage_by),
        "allowed_clients": sorted(set(request.allowed_clients)),
    }
    return hashlib.sha256(_CANONICAL.encode(fields).encode()).hexdigest()
