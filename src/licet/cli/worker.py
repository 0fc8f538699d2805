"""``licet worker`` and ``licet sweep``: durable actions outside the web server."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import click
from flask import Flask

from licet.actions.durable.runtime import Runtime, durable_runtime
from licet.settings.state import app_state

__all__ = ["sweep", "worker"]


@click.command()
@click.option("--threads", type=click.IntRange(1, 1000), help="How many actions at once.")
@click.option(
    "--sweep/--no-sweep", "sweeps", default=True, show_default=True, help="Sweep as well."
)
@click.pass_obj
def worker(load_app: Callable[[], Flask], threads: int | None, sweeps: bool) -> None:
    """Run the app's durable actions until SIGTERM.

    With LICET_DISPATCH=celery it takes Celery's messages, else it looks into the database.
    """
    app, runtime = _loaded(load_app)
    settings = app_state(app).settings
    n_threads = threads or settings.worker_threads or 8
    click.echo(f"licet worker: {_names(runtime)}, {n_threads} at once, by {settings.dispatch}")
    sweeper = runtime.make_sweeper()
    if sweeps:
        sweeper.start()
    if settings.dispatch == "celery":
        from licet.actions.durable.celery_worker import run_celery_worker

        run_celery_worker(runtime, settings, threads=n_threads)
    else:
        _work_until_signal(runtime, n_threads, settings.stop_seconds)
    sweeper.stop()


def _work_until_signal(runtime: Runtime, n_threads: int, stop_seconds: float) -> None:
    ended = _until_signal()
    found = runtime.make_worker(n_threads)
    found.start()
    ended.wait()
    found.stop(stop_seconds)


@click.command()
@click.option("--once", is_flag=True, help="One round, and no more; tell what it did.")
@click.pass_obj
def sweep(load_app: Callable[[], Flask], once: bool) -> None:
    """Look after durable actions that nobody else looks after, until SIGTERM.

    Has forgotten ones dispatched, takes leases back from lost workers, ends what is past its
    deadline, releases what was kept long enough. Any number of sweepers may run at once. Each
    minute it does what else the app has registered: it purges the trash of resources, for example.

    With --once, a round that finds leases that have run out waits for a third of their length, to
    see whether their workers are lost.
    """
    _, runtime = _loaded(load_app, is_sweep=True)
    sweeper = runtime.make_sweeper()
    if once:
        click.echo(str(sweeper.sweep_once()))
        return
    ended = _until_signal()
    click.echo(f"licet sweep: {_names(runtime)}, every {sweeper.interval_seconds:g} s")
    sweeper.start()
    ended.wait()
    sweeper.stop()


def _loaded(load_app: Callable[[], Flask], *, is_sweep: bool = False) -> tuple[Flask, Runtime]:
    app = load_app()
    runtime = durable_runtime(app)
    if not runtime.jobs and not (is_sweep and runtime.others()):
        raise click.UsageError("The app has no durable actions: see @blueprint.durable.")
    runtime.database()  # migrated, or an error that is told now
    return app, runtime


def _names(runtime: Runtime) -> str:
    return ", ".join(job.provider for job in runtime.jobs) or "no durable actions"


def _until_signal() -> threading.Event:
    ended = threading.Event()

    def end(_number: int, _frame: Any) -> None:
        if ended.is_set():
            sys.exit(1)  # the second signal does not wait
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return ended
