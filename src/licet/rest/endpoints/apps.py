"""What the settings of an app do with every request: rate limits, other origins, slashes."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Flask, Response, after_this_request, request

from licet.authn.flask import current_principal
from licet.authn.shared_counts import SharedCounts
from licet.errors import ConfigurationError
from licet.rest.endpoints.requests import principal_or_none
from licet.rest.limits import RateLimiter, counted_as, parse_rates
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = ["serve_requests"]

_LIMITER: Final = "rest.limiter"
_READABLE: Final = (
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Limit",
    "RateLimit-Policy",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
)
_SENDABLE: Final = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "X-Request-Id",
)
_PREFLIGHT_SECONDS: Final = 600


def serve_requests(app: Flask) -> None:
    """Do what the app's settings say; nothing of an app that sets none of them.

    Raises:
        ConfigurationError: a setting cannot be read, or needs what is not installed.
    """
    settings = app_state(app).settings
    if settings.rest.rate_limit:
        _limit_rates(app)
    if settings.rest.cors_origins:
        _admit_origins(app, settings.rest.cors_origins)
    if not settings.rest.strict_slashes:
        _make_slashes_equal(app)


def _limit_rates(app: Flask) -> None:
    limiter = app_state(app).get_or_build(_LIMITER, _make_limiter)
    counts = app.before_request_funcs.setdefault(None, [])
    counts.insert(0, lambda: _count(limiter))  # before anything else is done for the request


def _make_limiter(settings: Settings) -> RateLimiter:
    url = settings.accounts.throttle_storage_url
    shared = SharedCounts(url) if url else None
    return RateLimiter(parse_rates(settings.rest.rate_limit), shared=shared)


def _count(limiter: RateLimiter) -> None:
    """Count the current request, by its principal, or by its address; but no preflight."""
    if _is_preflight():
        return
    headers = limiter.count(counted_as(_principal(), request.remote_addr))

    @after_this_request
    def tell(response: Response) -> Response:
        response.headers.extend({n: v for n, v in headers.items() if n not in response.headers})
        return response


def _is_preflight() -> bool:
    """Whether a browser asks before it sends a request, which Flask answers by itself."""
    asks = {"Origin", "Access-Control-Request-Method"} <= {name for name, _ in request.headers}
    rule: Any = request.url_rule
    return asks and request.method == "OPTIONS" and bool(rule and rule.provide_automatic_options)


def _principal() -> str | None:
    """Who is signed in; a token that is not acceptable is refused later, and counts as nobody's.

    So does a caller whom the app cannot tell yet, because a ``before_request`` function of its own
    finds out, as the one that sets ``g.user`` in Flask's tutorial.
    """
    try:
        return current_principal() or principal_or_none()
    except Exception:  # noqa: BLE001 - of the app's function; it fails again where it is needed
        return None


def _admit_origins(app: Flask, origins: tuple[str, ...]) -> None:
    try:
        from flask_cors import CORS  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "LICET_CORS_ORIGINS needs Flask-CORS: pip install 'licet[rest]'."
        ) from error
    # Cookies stay within their own origin: a page of another one sends a bearer token.
    options: dict[str, Any] = {
        "origins": "*" if "*" in origins else [_whole(origin) for origin in origins],
        "supports_credentials": False,
        "allow_headers": list(_SENDABLE),
        "expose_headers": list(_READABLE),
        "max_age": _PREFLIGHT_SECONDS,
    }
    CORS(app, **options)
    if "*" not in origins:
        app.after_request(_vary_by_origin)


def _whole(origin: str) -> re.Pattern[str]:
    """The origin itself: Flask-CORS takes texts with brackets, as of IPv6, for patterns."""
    return re.compile(re.escape(origin) + r"\Z", re.IGNORECASE)


def _vary_by_origin(response: Response) -> Response:
    """Tell caches that another origin has another answer, also where this one got no headers."""
    response.vary.add("Origin")
    return response


def _make_slashes_equal(app: Flask) -> None:
    app.url_map.strict_slashes = False  # of the rules that come
    for rule in app.url_map.iter_rules():
        rule.strict_slashes = False
