"""ETags: the version of a row and what the caller sees of it, and what requests say about them.

A tag is ``"<version>-<digest>"``. The digest is of the caller's mask, so that two callers who see
different fields never share a tag. ``If-Match`` compares the version alone: whoever read version 3
may change version 3, whatever they saw of it.

Source: RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2; spec of seed document 004 (``_etag``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from licet.errors import MalformedRequest, PreconditionFailed, PreconditionRequired
from licet.errors.places import FieldError

__all__ = [
    "Conditions",
    "Tags",
    "is_unchanged",
    "make_tag",
    "quoted",
    "require_match",
    "required_tags",
]

_DIGITS: Final = 12
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")
# One entity tag: RFC 9110's, or bare, as the clients of seed document 004 send it.
_TAG: Final = re.compile(r'\s*(?P<weak>W/)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s",]+))\s*(?:,|$)')
# Apache's mod_deflate and mod_brotli, and Flask-Compress, rename the tag of what they compress.
_COMPRESSED: Final = re.compile(r"[-;:](?:gzip|br|zstd|deflate)$")


def make_tag(version: object, shown: Iterable[str] = ()) -> str:
    """The tag, without quotes, of this version as somebody sees it who sees the fields `shown`."""
    mask = "\x1f".join(sorted(shown))
    return f"{_version_text(version)}-{_digest(mask)}"


def quoted(tag: str) -> str:
    """The tag as the ``ETag`` header has it: strong."""
    return f'"{tag}"'


def _version_text(version: object) -> str:
    """A version counter, time or token in characters that a tag can hold."""
    if isinstance(version, bytes):
        return version.hex()
    text = version.isoformat() if isinstance(version, datetime) else str(version)
    return text if _PLAIN.fullmatch(text) else _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What an ``If-Match`` or ``If-None-Match`` header lists; `is_any` is ``*``."""

    is_any: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str, header: str) -> Tags:
        """Read a header's value.

        Raises:
            MalformedRequest: it is no list of entity tags.
        """
        if text.strip() == "*":
            return cls(is_any=True)
        strong: set[str] = set()
        weak: set[str] = set()
        at = _end_of_gap(text, 0)
        while at < len(text):
            found = _TAG.match(text, at)
            if found is None:
                told = f'{header} is no list of entity tags such as "3-5feceb66ffc8".'
                raise MalformedRequest(told, errors=[FieldError(detail=told, header=header)])
            tag = found["bare"] if found["quoted"] is None else found["quoted"]
            (weak if found["weak"] else strong).add(_COMPRESSED.sub("", tag))
            at = _end_of_gap(text, found.end())
        return cls(strong=frozenset(strong), weak=frozenset(weak))

    def names_version(self, version: object) -> bool:
        """Whether a strong tag is of this version, whichever mask it was read with.

        What has no version, None, is named by ``*`` alone.
        """
        if version is None:
            return self.is_any
        wanted = _version_text(version)
        return self.is_any or any(_version_of(tag) == wanted for tag in self.strong)


def _end_of_gap(text: str, at: int) -> int:
    """Where the next element of a list begins; elements may be empty (RFC 9110 section 5.6.1)."""
    while at < len(text) and text[at] in " \t,":
        at += 1
    return at


def _version_of(tag: str) -> str:
    version, dash, digest = tag.rpartition("-")
    return version if dash and len(digest) == _DIGITS else tag


def required_tags(if_match: str | None) -> Tags:
    """What ``If-Match`` lists, which the request must have.

    Raises:
        PreconditionRequired: there is no such header.
        MalformedRequest: it is no list of entity tags.
    """
    if if_match is None or not if_match.strip():
        raise PreconditionRequired
    return Tags.parse(if_match, "If-Match")


def require_match(tags: Tags, version: object, *, if_none_match: str | None = None) -> None:
    """Let a change of an object of this version go on.

    Args:
        tags: what ``If-Match`` lists.
        version: that of the row.
        if_none_match: the header; a change that names versions it is not for is refused, too.

    Raises:
        PreconditionFailed: the object has another version now.
        MalformedRequest: `if_none_match` is no list of entity tags.
    """
    if not tags.names_version(version):
        raise PreconditionFailed
    if if_none_match and Tags.parse(if_none_match, "If-None-Match").names_version(version):
        raise PreconditionFailed


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the headers of a change say of the version that it is about, as they came."""

    if_match: str | None = None
    if_none_match: str | None = None

    @property
    def has_version(self) -> bool:
        """Whether the change is of one version: ``If-Match`` with other than ``*``."""
        given = (self.if_match or "").strip()
        return given not in ("", "*")

    def require(self, version: object) -> None:
        """Let a change of an object of this version, or of None, go on.

        Raises:
            PreconditionFailed: the object has another version now.
            MalformedRequest: a header is no list of entity tags.
        """
        if self.if_match is not None and self.if_match.strip():
            tags = Tags.parse(self.if_match, "If-Match")
        else:
            tags = Tags(is_any=True)
        require_match(tags, version, if_none_match=self.if_none_match)


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller has this very representation, so that 304 answers.

    Raises:
        MalformedRequest: the header is no list of entity tags.
    """
    if not if_none_match or not if_none_match.strip():
        return False
    tags = Tags.parse(if_none_match, "If-None-Match")
    return tags.is_any or tag in tags.strong or tag in tags.weak
