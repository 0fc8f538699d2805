"""Requests that are sent twice and done once: the Idempotency-Key header.

A key belongs to its caller. The first request with it is done; the same request again, within a
day, gets the first answer; another request with it is refused. Who repeats it is asked again
whether they may: an answer says of which object it is and under which mask it was written.

Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from licet.errors import MalformedRequest
from licet.errors.places import FieldError

__all__ = ["HEADER", "Answer", "parse_key", "request_digest"]

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?')


def parse_key(header: str | None) -> str | None:
    """The key in the header; None without one.

    Raises:
        MalformedRequest: it is empty, too long, or not of printable ASCII.
    """
    if header is None:
        return None
    found = _KEY.fullmatch(header.strip())
    if found is None:
        told = f"{HEADER} is 1 to 255 printable ASCII characters, such as a UUID."
        raise MalformedRequest(told, errors=[FieldError(detail=told, header=HEADER)])
    return found[1]


def request_digest(
    method: str, path: str, query: bytes, content_type: str | None, body: bytes
) -> str:
    """What two requests have in common when they are the same."""
    parts = [method.encode(), path.encode(), query, (content_type or "").encode(), body]
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256(lengths.encode() + b"\n" + b"".join(parts)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The first answer to a request.

    `resource` is the name of the policy of the object that it shows, `object_key` the object's
    primary key as JSON values, `mask` a digest of the fields shown; all are empty of other answers.
    `body` is None of an answer that was too long to be kept.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = ""
    resource: str = ""
    object_key: tuple[Any, ...] = ()
    mask: str = ""

    def to_json(self) -> str:
        """The answer as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """The answer that was stored."""
        found = json.loads(text)
        return cls(**{**found, "object_key": tuple(found["object_key"])})
