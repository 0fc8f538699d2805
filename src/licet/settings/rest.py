"""Settings of what goes over HTTP: errors, limits, and pages of other origins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from licet.errors import ConfigurationError
from licet.settings._source import Source

__all__ = ["RestSettings"]

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|http://\[[0-9a-f:]+\](:[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class RestSettings:
    """What the operator decided about requests and answers.

    `error_shape` is ``problem``, or ``message`` for the documents of seed document 004;
    `rate_limit` such as ``100/minute; 2000/hour``, empty for none; `cors_origins` are the origins
    whose pages may read answers, ``*`` for all; with `strict_slashes` off, a URL and the same with
    a slash at its end are one.
    """

    error_shape: str
    rate_limit: str
    max_url_bytes: int
    max_header_bytes: int
    cors_origins: tuple[str, ...]
    strict_slashes: bool

    @property
    def touches_requests(self) -> bool:
        """Whether something is done with every request of the app."""
        return bool(self.rate_limit or self.cors_origins or not self.strict_slashes)

    @classmethod
    def read(cls, source: Source) -> RestSettings:
        """Take them as `Settings.read` does."""
        return cls(
            error_shape=source.choice("LICET_ERROR_SHAPE", ("problem", "message")),
            rate_limit=source.text("LICET_RATE_LIMIT", ""),
            max_url_bytes=source.positive("LICET_MAX_URL_BYTES", 8 * 1024),
            max_header_bytes=source.positive("LICET_MAX_HEADER_BYTES", 32 * 1024),
            cors_origins=_origins(source),
            strict_slashes=source.flag("LICET_STRICT_SLASHES", default=True),
        )


def _origins(source: Source) -> tuple[str, ...]:
    found = source.value("LICET_CORS_ORIGINS")
    listed = found.split(",") if isinstance(found, str) else found or ()
    origins = tuple(str(one).strip().lower() for one in listed if str(one).strip())
    wrong = [one for one in origins if one != "*" and not _ORIGIN.fullmatch(one)]
    if wrong:
        raise ConfigurationError(
            f"LICET_CORS_ORIGINS has {wrong[0]!r}, which is no origin: write such as "
            "https://portal.example.org, without a path, with commas between them."
        )
    return origins
