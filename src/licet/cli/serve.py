"""``licet serve``: the app under gunicorn."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from licet.actions.durable.runtime import durable_runtime
from licet.actions.interface.flask import leave_threads_free
from licet.db.flask import database_place
from licet.errors import ConfigurationError
from licet.extension import check_attached
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = ["check_port_is_free", "serve", "serve_app"]

GRACE_SECONDS = 10
STOP_SECONDS = 10
MARGIN_SECONDS = 5  # in which what did not end is given back
_NEWER = frozenset({"control_socket_disable"})  # gunicorn before 25.1 has no such socket


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn without a configuration file."""

    def __init__(self, load_app: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._load_app = load_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings or name not in _NEWER:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._load_app()


def check_port_is_free(host: str, port: int) -> None:
    """Fail early and clearly, instead of in five attempts of the server.

    Raises:
        ConfigurationError: the address is in use or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError(
                f"The server cannot listen on {host}:{port} ({reason}). Stop what is using the "
                "port, or choose another: make run PORT=8001, licet serve --port 8001."
            ) from error


def serve_app(
    load_app: Callable[[], Flask],
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    stop_seconds: int = STOP_SECONDS,
    on_ready: Callable[[Any], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in hand get ten seconds to end.

    After them, actions that run in the server get `stop_seconds`.

    Raises:
        ConfigurationError: the address is not to be had.
    """
    check_port_is_free(host, port)
    options: dict[str, Any] = {
        "bind": [_address(host, port)],
        "workers": workers,
        "threads": threads,
        "worker_class": "gthread",
        "graceful_timeout": GRACE_SECONDS + stop_seconds + MARGIN_SECONDS,
        "accesslog": None,
        "loglevel": "warning",
        "control_socket_disable": True,
        # What proxies add is believed where LICET_PROXIES says so, and never SCRIPT_NAME.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "post_worker_init": _start_actions,
        "worker_exit": _stop_actions,
    }
    if on_ready is not None:
        options["when_ready"] = on_ready
    _Server(load_app, options).run()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _start_actions(worker: Any) -> None:
    """Have the worker process run durable actions from its start, not from its first request."""
    worker.cfg.set("graceful_timeout", GRACE_SECONDS)  # the main process waits for the actions, too
    durable_runtime(worker.wsgi).start()
    leave_threads_free(worker.wsgi, worker.cfg.threads)


def _stop_actions(_server: Any, worker: Any) -> None:
    if isinstance(getattr(worker, "wsgi", None), Flask):
        durable_runtime(worker.wsgi).stop()


def _say_where(address: str, settings: Settings) -> Callable[[Any], None]:
    """Prints, when requests are taken, the address, and where keys and data are."""

    def say(_server: Any) -> None:
        click.echo(f"licet: serving on http://{address}")
        if settings.embedded_issuer:
            click.echo(f"licet: keys are in {settings.instance_path.absolute()}")
        click.echo(f"licet: data is in {database_place(settings)}")

    return say


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", default=8000, show_default=True, envvar="PORT", type=click.IntRange(1, 65535)
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 256))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256))
@click.pass_obj
def serve(load_app: Callable[[], Flask], host: str, port: int, workers: int, threads: int) -> None:
    """Serve the app with gunicorn."""
    app = load_app()
    check_attached(app)  # a broken app is told once, here, and not by every worker
    settings = app_state(app).settings
    serve_app(
        load_app,
        host=host,
        port=port,
        workers=workers,
        threads=threads,
        stop_seconds=settings.stop_seconds,
        on_ready=_say_where(_address(host, port), settings),
    )
