"""What an acceptable token says: its type, and every claim that we rely on.

Whether it is genuine is `_jws`' question. Here stands what the JOSE libraries let through and we do
not: no ``crit`` or ``b64``, plain integer times, nothing left out, no token of one kind in the
place of another.

Source: RFC 7519 section 4, RFC 9068 sections 2 and 4, OpenID Connect Core 1.0 section 3.1.3.7.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from licet.errors import ConfigurationError, InvalidToken
from licet.wire.text import ascii_lower

__all__ = ["ClaimRules", "RefusalLog", "TokenUse", "verified_email"]

log = logging.getLogger(__name__)

TokenUse = Literal["access", "id"]
_ID: Final = "id"
LEEWAY_SECONDS: Final = 60
_TYPES: Final = {"access": frozenset({"at+jwt"}), _ID: frozenset({"jwt", None})}
_NAMES: Final = {"access": "an access token", _ID: "an ID token"}
# A logout token may look like an ID token in all but this claim, which it must have.
_OTHERS_CLAIMS: Final = {
    "access": ("events", "nonce", "at_hash", "c_hash", "s_hash"),
    _ID: ("events",),
}
# Keycloak tells the kind in a claim ``typ``, Amazon Cognito in ``token_use``.
_OTHERS_TYPES: Final = {
    "access": frozenset({"id", "refresh", "offline", "logout"}),
    _ID: frozenset({"bearer", "dpop", "refresh", "offline", "logout"}),
}
PAUSE_SECONDS: Final = 60.0
_MAX_TIME: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment a datetime can hold


class ClaimRules:
    """What the header and the claims of an acceptable token say.

    Args:
        issuer, audience: what ``iss`` must be and ``aud`` must contain.
        token_use: which kind of token is taken.
        takes_plain_type: whether an access token may say ``JWT``, or nothing, for its type.
        email_is_key: whether ``email`` must be there, and verified.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        token_use: TokenUse = "access",  # noqa: S107 - no password
        takes_plain_type: bool = False,
        email_is_key: bool = False,
    ) -> None:
        if token_use not in _TYPES:
            raise ConfigurationError(f"token_use is {token_use!r}: write access or id.")
        self.issuer = issuer
        self.audience = audience
        self.token_use: TokenUse = token_use
        self._is_id = token_use == _ID
        self._types = _TYPES[token_use] | (_TYPES[_ID] if takes_plain_type else frozenset())
        self._email_is_key = email_is_key

    def check_header(self, header: Mapping[str, Any]) -> None:
        """Refuse what the header must not say.

        Raises:
            InvalidToken: ``crit``, ``b64``, or a ``typ`` other than the expected.
        """
        if "crit" in header or "b64" in header:
            raise InvalidToken("The bearer token asks for extensions that are not supported.")
        if _type_of(header) not in self._types:
            raise InvalidToken(f"The bearer token is not {_NAMES[self.token_use]}.")

    def check_claims(self, claims: Mapping[str, Any], now: float) -> None:
        """Refuse claims that are missing, malformed, out of time or not meant for us.

        Raises:
            InvalidToken: with the claim's name, never its value; of the issuer, which one is ours.
        """
        if claims.get("iss") != self.issuer:
            raise InvalidToken(
                "The bearer token comes from an issuer that is not accepted: only "
                f"{self.issuer} is."
            )
        subject = claims.get("sub")
        if not isinstance(subject, str) or not _is_subject(subject):
            raise InvalidToken("The bearer token names no subject.")
        self._check_audience(claims)
        _check_times(claims, now)
        if self._shows_another_use(claims):
            raise InvalidToken(f"The bearer token is not {_NAMES[self.token_use]}.")
        if not isinstance(claims.get("scope", ""), str):
            raise InvalidToken("The bearer token's scope is not a string.")
        if not isinstance(claims.get("groups") or [], list):
            raise InvalidToken("The bearer token's groups are not a list.")
        if self._email_is_key and verified_email(claims) is None:
            raise InvalidToken("The bearer token has no verified email.")

    def _shows_another_use(self, claims: Mapping[str, Any]) -> bool:
        """Whether a claim tells that the token is of another kind than the expected."""
        if any(name in claims for name in _OTHERS_CLAIMS[self.token_use]):
            return True
        typ = claims.get("typ")
        if isinstance(typ, str) and typ.lower() in _OTHERS_TYPES[self.token_use]:
            return True
        return bool(claims.get("token_use", self.token_use) != self.token_use)

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        listed = [audience] if isinstance(audience, str) else audience
        if not isinstance(listed, list) or self.audience not in listed:
            raise InvalidToken("The bearer token is meant for another service.")
        # One of several audiences must be named as the party that the token was made for.
        party = claims.get("azp", self.audience if len(listed) == 1 else None)
        if self._is_id and party != self.audience:
            raise InvalidToken("The bearer token was made for another client.")


class RefusalLog:
    """Tells the operator when tokens of a whole kind are refused: another issuer's, other keys'.

    The caller is told what is expected and no more; what came instead, and where keys lie, stands
    in the log. It warns at most once a minute of each kind, since callers choose what they send;
    the rest is for debugging.

    Concurrency: one for all threads.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told_at: dict[str, float] = {}

    def tell(self, text: str, *facts: object) -> None:
        """Log a refusal; `facts` are put into `text`, which is the kind, as by `logging`."""
        now = self._clock()
        with self._lock:
            is_due = abs(now - self._told_at.get(text, float("-inf"))) >= PAUSE_SECONDS
            if is_due:
                self._told_at[text] = now
        log.log(logging.WARNING if is_due else logging.DEBUG, text, *facts)


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """The email address in its one form to compare, if the issuer says that it is verified.

    Where people are known by their address, compare with this and nothing else: an address that
    nobody verified belongs to whoever typed it in. Only the JSON value ``true`` counts. Letters A
    to Z are in lower case, and the domain is as the name system has it (IDNA 2008): other folding
    makes one address of two people's. An address whose domain cannot be one is None.
    """
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    local, _, domain = email.rpartition("@")
    is_usable = local and domain and len(email) <= 254 and email.isprintable() and " " not in email
    found = _domain_key(domain) if is_usable else None
    return None if found is None else f"{ascii_lower(local)}@{found}"


def _domain_key(domain: str) -> str | None:
    lower = ascii_lower(domain)
    if lower.isascii():
        return lower
    import idna  # noqa: PLC0415 - large, and seldom needed

    try:
        return idna.encode(lower, strict=True).decode("ascii")
    except idna.IDNAError:
        return None


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if "exp" not in claims:
        raise InvalidToken("The bearer token never expires.")
    if _time(claims, "exp") <= now:
        raise InvalidToken("The bearer token has expired.")
    for name in ("nbf", "iat"):
        if name in claims and _time(claims, name) > now + LEEWAY_SECONDS:
            raise InvalidToken("The bearer token is not valid yet.")


def _time(claims: Mapping[str, Any], name: str) -> int | float:
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= _MAX_TIME:  # also refuses NaN
        raise InvalidToken(f"The bearer token's {name} is not a time.")
    return value  # type: ignore[no-any-return]  # checked on the line above


def _is_subject(subject: str) -> bool:
    """Whether it can be hashed, stored and logged: no control characters, no lone surrogates."""
    return 1 <= len(subject) <= 255 and subject.isprintable()


def _type_of(header: Mapping[str, Any]) -> str | None:
    """The type in its short form and lower case; None when there is none."""
    typ = header.get("typ", ...)
    if typ is ...:
        return None
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
