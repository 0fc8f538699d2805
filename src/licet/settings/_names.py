"""Which names are settings: every other name that starts with ``LICET_`` is refused.

A misspelt setting that is dropped leaves its default in force, and the default of
``LICET_EMBEDDED_ISSUER`` accepts tokens. The environment is looked at like the app's config.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from licet.errors import UnknownName
from licet.errors.names import closest
from licet.settings._source import Source
from licet.settings.providers import ProviderSettings, provider_names

__all__ = ["COMMAND_NAMES", "PREFIX", "refuse_unknown_settings", "refuse_unknown_variables"]

PREFIX: Final = "LICET_"
_REFERENCE: Final = "https://github.com/licet-project/licet/blob/main/docs/reference/settings.md"
COMMAND_NAMES: Final = frozenset({"LICET_APP", "LICET_TOKEN", "LICET_LOGIN_CLIENT_ID"})
_PROVIDER_FIELDS: Final = frozenset(one.name.upper() for one in fields(ProviderSettings)) - {"NAME"}
_OF_PROVIDER: Final = re.compile(rf"LICET_OIDC_(.+)_({'|'.join(sorted(_PROVIDER_FIELDS))})")
# Kubernetes tells each pod where the services beside it are, in the manner of Docker's links.
_SERVICE_LINK: Final = re.compile(
    r"LICET_([A-Z0-9_]+_)?"
    r"(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_LINKED_PORT: Final = re.compile(r"(tcp|udp|sctp)://")


def refuse_unknown_settings(source: Source, known: Collection[str]) -> None:
    """Refuse names in the app's config and in the environment that are no settings.

    Args:
        source: where the settings come from.
        known: the names of all settings but those of providers.

    Raises:
        UnknownName: with every such name, where it is, and which one was meant; never a value.
    """
    prefixes = ["LICET_OIDC_", *(f"LICET_OIDC_{p.upper()}_" for p in provider_names(source))]
    all_known = {*known, *COMMAND_NAMES}
    all_known |= {f"{prefix}{name}" for prefix in prefixes for name in _PROVIDER_FIELDS}
    told = [
        *_told("app.config", _names_in_config(source.config), all_known),
        *_told("The environment", _names_in_environment(source.environ), all_known),
    ]
    _refuse(told)


def refuse_unknown_variables(environ: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse names of the environment that are no settings, whichever providers an app names.

    Raises:
        UnknownName: as `refuse_unknown_settings`.
    """
    names = (n for n in _names_in_environment(environ) if not _OF_PROVIDER.fullmatch(n))
    all_known = {*known, *COMMAND_NAMES, *(f"LICET_OIDC_{name}" for name in _PROVIDER_FIELDS)}
    _refuse([*_told("The environment", names, all_known)])


def _refuse(told: list[tuple[str, str]]) -> None:
    if told:
        text = " ".join(text for _, text in told)
        raise UnknownName(
            f"{text} Names that start with {PREFIX} are licet's alone; {_REFERENCE} has all of "
            "them.",
            [name for name, _ in told],
        )


def _names_in_config(config: Mapping[str, Any]) -> Iterator[str]:
    return (n for n in config if isinstance(n, str) and n.upper().startswith(PREFIX))


def _names_in_environment(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        is_link = _SERVICE_LINK.fullmatch(name) or (
            name.endswith("_PORT") and _LINKED_PORT.match(value)
        )
        if name.startswith(PREFIX) and not is_link:
            yield name


def _told(where: str, names: Iterator[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(names):
        if name not in known:
            yield name, f"{where} has {name!r}, which is no setting{_suggestion(name, known)}"


def _suggestion(name: str, known: Collection[str]) -> str:
    # without what all of them begin with: it would make every name look alike
    near = closest(name[len(PREFIX) :], [each.removeprefix(PREFIX) for each in known])
    of_provider = _OF_PROVIDER.fullmatch(name)
    reasons = [] if near is None else [f"did you mean {PREFIX}{near}?"]
    if of_provider:
        reasons.insert(0, f"LICET_OIDC_PROVIDERS does not name {of_provider[1].lower()!r}")
    return (": " + ", or ".join(reasons) if reasons else "") + ("" if near else ".")
