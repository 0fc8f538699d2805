"""The file of a dump: whole or not there."""

from __future__ import annotations

import os
import uuid
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
    if file.exists() or file.is_symlink():
        raise SchemaUnusable(told=f"{file} is there already: give another name, or remove it.")
    part = file.with_name(f"{file.name}.{uuid.uuid4().hex[:8]}.part")  # nobody else's
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        _name(part, file)
    except FileExistsError as error:
        raise SchemaUnusable(told=f"{file} has appeared meanwhile, and stays.") from error
    except OSError as error:
        raise SchemaUnusable(
            told=f"{file} cannot be written ({error.strerror or error}): make room in its folder, "
            "or "
            "make it writable."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, file: Path) -> None:
    """Give the file its name, unless another one has got it meanwhile."""
    try:
        file.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        part.rename(file)
