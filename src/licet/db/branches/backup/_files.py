"""The file of a dump: whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from licet.errors import SchemaUnusable

__all__ = ["appearing"]


@contextmanager
def appearing(file: Path) -> Iterator[Path]:
    """A path to write to, of the owner's alone, that gets the name of `file` at the end.

    Raises:
        SchemaUnusable: `file` is there already, or its folder cannot be written.
    """
    if file.exists():
        raise SchemaUnusable(told=f"{file} is there already: give another name, or remove it.")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        part.rename(file)
    except OSError as error:
        raise SchemaUnusable(
            told=f"{file} cannot be written ({error.strerror or error}): make room in its folder, "
            "or "
            "make it writable."
        ) from error
    finally:
        part.unlink(missing_ok=True)
