"""What an introspection endpoint's answer must be, and what it must say of a good token.

An answer that cannot be read is no answer: it neither accepts nor refuses. One that can be read
accepts a token only when `active` is true and everything else that it says fits us.

Source: RFC 7662 section 2.2.
"""

from __future__ import annotations

import logging
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from licet.authn.identity import Identity, group_principals, identity_principal
from licet.errors import AuthenticationUnavailable
from licet.wire.documents import read_json
from licet.wire.text import shown

__all__ = ["Answer", "AnswerRules", "AnswerTime", "read_answer"]

log = logging.getLogger(__name__)
LEEWAY_SECONDS: Final = 60
MAX_SUBJECT: Final = 255
CLIENT_PREFIX: Final = "client:"  # a client's id is chosen by somebody else than a person's subject
_MAX_TIME: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment a datetime can hold
_OTHER_USES: Final = frozenset({"refresh", "refresh_token", "offline", "id", "id_token"})
# Each kind of number with bounds of its own: pydantic fails on a huge int between the two.
AnswerTime = (
    Annotated[int, Field(ge=0, le=_MAX_TIME)]
    | Annotated[float, Field(ge=0, le=_MAX_TIME, allow_inf_nan=False)]
)


class Answer(BaseModel):
    """The members of an answer that we rely on; any others may be there."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", hide_input_in_errors=True)

    active: bool
    sub: str | None = None
    client_id: str | None = None
    iss: str | None = None
    aud: str | list[str] | None = None
    scope: str | None = None
    exp: AnswerTime | None = None
    iat: AnswerTime | None = None
    nbf: AnswerTime | None = None
    groups: list[str] | None = None


class _Inactive(BaseModel):
    """An answer that refuses; whatever else it says does not matter."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    active: bool


def read_answer(body: bytes) -> Answer:
    """The answer in a response's body.

    Raises:
        AuthenticationUnavailable: it is not JSON, says something twice, or a member that we rely
            on is missing or of another type.
    """
    try:
        found = read_json(body)
        if not _Inactive.model_validate(found).active:
            return Answer(active=False)
        return Answer.model_validate(found)
    except (ValueError, RecursionError) as error:
        log.warning("A token's introspection cannot be read: %s", type(error).__name__)
        raise AuthenticationUnavailable("The token's introspection cannot be read.") from error


class AnswerRules:
    """What a good answer says.

    Args:
        issuer: who the endpoint answers for; an ``iss`` must be the same.
        audience: what ``aud`` must contain, or None when the endpoint names no audience.
        accepts_clients: whether a token that names a client and nobody else is good, with
            ``client:`` and the client's id for its subject; no ``sub`` may then begin so.
        groups_are_local: whether its groups are our own groups of these names.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | None,
        accepts_clients: bool,
        groups_are_local: bool = False,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.accepts_clients = accepts_clients
        self._groups_issuer = None if groups_are_local else issuer

    def refusal(self, answer: Answer, now: float) -> str | None:
        """Why the token is refused, never with a value from the answer; None when it is good."""
        if not answer.active:
            return "The bearer token is expired, revoked or unknown to its issuer."
        if answer.iss is not None and answer.iss != self.issuer:
            log.warning(
                "A token was refused: its introspection names the issuer %s, and only %s is "
                "accepted.",
                shown(answer.iss),
                self.issuer,
            )
            return (
                "The bearer token comes from an issuer that is not accepted: only "
                f"{self.issuer} is."
            )
        if self.audience is not None and self.audience not in _listed(answer.aud):
            return "The bearer token is meant for another service."
        if answer.exp is not None and answer.exp <= now:
            return "The bearer token has expired."
        if any(at is not None and at > now + LEEWAY_SECONDS for at in (answer.nbf, answer.iat)):
            return "The bearer token is not valid yet."
        return self._refusal_of_subject(answer)

    def _refusal_of_subject(self, answer: Answer) -> str | None:
        if _tells_another_use(answer):
            return "The bearer token is not an access token."
        subject = self._subject(answer)
        if not 1 <= len(subject) <= MAX_SUBJECT or not subject.isprintable():
            return "The bearer token names no subject."
        if self.accepts_clients and (answer.sub or "").startswith(CLIENT_PREFIX):
            return "The bearer token's subject may be taken for a client."
        return None

    def _subject(self, answer: Answer) -> str:
        if answer.sub is None and self.accepts_clients and answer.client_id:
            return f"{CLIENT_PREFIX}{answer.client_id}"
        return answer.sub or ""

    def identity(self, answer: Answer) -> Identity:
        """Whom a good answer vouches for."""
        subject = self._subject(answer)
        return Identity(
            issuer=self.issuer,
            subject=subject,
            principal=identity_principal(self.issuer, subject),
            principals=group_principals(answer.groups or (), issuer=self._groups_issuer),
            scopes=frozenset((answer.scope or "").split()),
            claims=answer.model_dump(exclude_unset=True),
        )


def _tells_another_use(answer: Answer) -> bool:
    """Whether the endpoint vouches for a refresh or ID token, in the words of those that tell."""
    said = answer.model_extra or {}
    uses = (said.get(name) for name in ("token_use", "typ"))
    return any(isinstance(use, str) and use.lower() in _OTHER_USES for use in uses)


def _listed(audience: str | list[str] | None) -> list[str]:
    return [audience] if isinstance(audience, str) else audience or []
