"""Settings of foreign OpenID providers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from licet.errors import ConfigurationError
from licet.settings._source import Source

__all__ = ["ProviderSettings", "provider_names", "read_providers"]

_PROVIDER_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """What the operator decided about one foreign OpenID provider.

    With a `client_id` people sign in there; with an `audience` its access tokens are taken. `label`
    is what the button says; `acr_values` are the ways of signing in that the provider is asked for;
    `groups_are_local` and `takes_plain_type` are `JWTVerifier`'s.
    """

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    audience: str
    algorithms: tuple[str, ...]
    scopes: tuple[str, ...]
    takes_plain_type: bool
    groups_are_local: bool
    acr_values: tuple[str, ...] = ()

    @classmethod
    def read(cls, source: Source, name: str, prefix: str) -> ProviderSettings:
        """Take the settings that start with `prefix`.

        Raises:
            ConfigurationError: one is missing or malformed.
        """
        found = cls(
            name=name,
            label=source.text(f"{prefix}LABEL", name.replace("_", " ").capitalize()),
            issuer=source.url(f"{prefix}ISSUER", ""),
            client_id=source.text(f"{prefix}CLIENT_ID", ""),
            client_secret=source.text(f"{prefix}CLIENT_SECRET", ""),
            audience=source.text(f"{prefix}AUDIENCE", ""),
            algorithms=tuple(source.text(f"{prefix}ALGORITHMS", "RS256").split()),
            scopes=tuple(source.text(f"{prefix}SCOPES", "openid email profile").split()),
            acr_values=tuple(source.text(f"{prefix}ACR_VALUES", "").split()),
            takes_plain_type=source.flag(f"{prefix}TAKES_PLAIN_TYPE", default=False),
            groups_are_local=source.flag(f"{prefix}GROUPS_ARE_LOCAL", default=False),
        )
        if not (found.client_id or found.audience):
            raise ConfigurationError(
                f"The provider {name!r} is of no use yet: set {prefix}CLIENT_ID to have people "
                f"sign in there, {prefix}AUDIENCE to take its access tokens, or both."
            )
        if "openid" not in found.scopes:
            raise ConfigurationError(f"{prefix}SCOPES lacks openid: without it nobody is named.")
        return found


def provider_names(source: Source) -> list[str]:
    """The names in ``LICET_OIDC_PROVIDERS``, as they were given."""
    return source.text("LICET_OIDC_PROVIDERS", "").split()


def read_providers(source: Source, own_issuer: str) -> tuple[ProviderSettings, ...]:
    """The one provider of ``LICET_OIDC_…``, or those of ``LICET_OIDC_PROVIDERS``."""
    names = provider_names(source)
    single = [f"LICET_OIDC_{key}" for key in ("ISSUER", "CLIENT_ID", "AUDIENCE")]
    given = [name for name in single if source.text(name, "")]
    if given and names:
        raise ConfigurationError(
            f"{given[0]} is set beside LICET_OIDC_PROVIDERS: then each provider has settings of "
            f"its own, such as LICET_OIDC_{names[0].upper()}_ISSUER."
        )
    if wrong := [name for name in names if not _PROVIDER_NAME.fullmatch(name)]:
        raise ConfigurationError(
            f"LICET_OIDC_PROVIDERS has {wrong[0]!r}: a name is a lower-case letter, then letters, "
            "digits and underscores, at most 32."
        )
    if len(set(names)) != len(names):
        raise ConfigurationError("LICET_OIDC_PROVIDERS has a name twice.")
    read = ProviderSettings.read
    found = tuple(read(source, name, f"LICET_OIDC_{name.upper()}_") for name in names)
    if given:
        found = (read(source, "oidc", "LICET_OIDC_"),)
    if own_issuer in {provider.issuer for provider in found}:
        raise ConfigurationError(
            f"A foreign provider has the issuer {own_issuer!r}, which is LICET_ISSUER: its people "
            "would be taken for local ones."
        )
    return found
