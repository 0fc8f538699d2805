"""All settings of an app, and what each is when nobody says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from licet.settings._names import refuse_unknown_settings, refuse_unknown_variables
from licet.settings._source import Source
from licet.settings.accounts import AccountSettings
from licet.settings.providers import ProviderSettings, read_providers
from licet.settings.rest import RestSettings

__all__ = [
    "DEFAULT_ISSUER",
    "Settings",
    "check_environment",
    "known_settings",
]

DEFAULT_ISSUER: Final = "http://localhost:8000"
DEFAULT_BROKER: Final = "redis://localhost:6379/0"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decided.

    `database_url` is a SQLAlchemy URL; `sqlite_synchronous` is how commits on SQLite wait for the
    disk (decision 0003); `issuer` and `audience` are the ``iss`` and ``aud`` of
    local tokens; `public_url` is where clients reach the service, and `has_public_url` whether a
    setting says so; `instance_path` is where the
    SQLite file and the signing keys live; with `protect`, an app with `Licet` answers no request
    while an endpoint of it is undeclared; with `problem_errors`, every error that the app does not
    handle itself is a problem document. `log_allowed` names the verbs of which a decision that
    allows is logged like a denial; ``ALL`` is every verb.

    `dispatch` is how workers are told of actions: ``threads`` of this process, or ``celery``
    through `broker_url`. `worker_threads` is how many actions a process runs at once, 0 for none;
    `stop_seconds` how long running steps may take when it stops; `attempt_seconds` how long an
    attempt may take whose provider says nothing of it, 0 for ever; `cancel_seconds` how long a
    handler may go on that was told to end; `max_waiting` how many requests at once may wait for an
    action; `version_gone_seconds` how long an action waits for a worker that has its version;
    `trusted_proxies` how many proxies, each adding the address
    of who called it, every request came through.
    """

    instance_path: Path
    database_url: str
    sqlite_synchronous: str
    issuer: str
    audience: str
    public_url: str
    has_public_url: bool
    embedded_issuer: bool
    migrate_at_start: bool
    access_token_seconds: int
    max_body_bytes: int
    protect: bool
    problem_errors: bool
    log_allowed: frozenset[str]
    dispatch: str
    broker_url: str = field(repr=False)
    worker_threads: int
    stop_seconds: int
    attempt_seconds: int
    cancel_seconds: int
    max_result_bytes: int
    max_waiting: int
    version_gone_seconds: int
    trusted_proxies: int
    accounts: AccountSettings
    rest: RestSettings
    providers: tuple[ProviderSettings, ...] = ()

    @classmethod
    def read(
        cls,
        config: Mapping[str, Any],
        instance_path: Path,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        """Take every setting from the app's config, else the environment, else the default.

        Raises:
            UnknownName: either has a name that starts with ``LICET_`` and is no setting.
            ConfigurationError: a setting is malformed, or at odds with another.
        """
        source = Source(config, os.environ if environ is None else environ)
        refuse_unknown_settings(source, known_settings())
        return cls._of(source, instance_path)

    @classmethod
    def _of(cls, source: Source, instance_path: Path) -> Settings:
        issuer = source.url("LICET_ISSUER", DEFAULT_ISSUER).rstrip("/")
        return cls(
            instance_path=Path(source.text("LICET_INSTANCE_PATH", str(instance_path))),
            database_url=source.text("LICET_DATABASE_URL", ""),
            sqlite_synchronous=source.choice(
                "LICET_SQLITE_SYNCHRONOUS", ("FULL", "EXTRA", "NORMAL")
            ),
            issuer=issuer,
            audience=source.text("LICET_AUDIENCE", issuer),
            public_url=source.url("LICET_PUBLIC_URL", issuer).rstrip("/"),
            has_public_url=any(
                source.text(name, "") for name in ("LICET_PUBLIC_URL", "LICET_ISSUER")
            ),
            embedded_issuer=source.flag("LICET_EMBEDDED_ISSUER", default=True),
            migrate_at_start=source.flag(
                "LICET_MIGRATE_AT_START",
                default=_is_embedded(source.text("LICET_DATABASE_URL", "")),
            ),
            access_token_seconds=source.positive("LICET_ACCESS_TOKEN_SECONDS", 900),
            max_body_bytes=source.positive("LICET_MAX_BODY_BYTES", 1024 * 1024),
            protect=source.flag("LICET_PROTECT", default=True),
            problem_errors=source.flag("LICET_PROBLEM_ERRORS", default=False),
            log_allowed=source.words("LICET_LOG_ALLOWED"),
            dispatch=source.choice("LICET_DISPATCH", ("threads", "celery")),
            broker_url=source.text("LICET_BROKER_URL", DEFAULT_BROKER),
            worker_threads=source.count("LICET_WORKER_THREADS", 8),
            stop_seconds=source.positive("LICET_STOP_SECONDS", 10),
            attempt_seconds=source.count("LICET_ATTEMPT_SECONDS", 0),
            cancel_seconds=source.positive("LICET_CANCEL_SECONDS", 10),
            max_result_bytes=source.positive("LICET_MAX_RESULT_BYTES", 256 * 1024),
            max_waiting=source.count("LICET_MAX_WAITING", 4),
            version_gone_seconds=source.positive("LICET_VERSION_GONE_SECONDS", 86_400),
            trusted_proxies=source.count("LICET_PROXIES", 0),
            accounts=AccountSettings.read(source),
            rest=RestSettings.read(source),
            providers=read_providers(source, issuer),
        )


def _is_embedded(database_url: str) -> bool:
    """Whether the database is SQLite's: a file of this machine, which one service uses."""
    return not database_url or database_url.startswith("sqlite")


@cache
def known_settings() -> frozenset[str]:
    """The names of all settings, save those of each provider: what a reading asks for."""
    source = Source({}, {})
    Settings._of(source, Path())  # noqa: SLF001 - of this module
    return frozenset(source.asked)


def check_environment(environ: Mapping[str, str] | None = None) -> None:
    """Refuse misspelt settings of the environment before any app is there.

    Raises:
        UnknownName: a name starts with ``LICET_`` and is no setting.
    """
    refuse_unknown_variables(os.environ if environ is None else environ, known_settings())
