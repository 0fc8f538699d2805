"""The library of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.rest.library import Book, Library, Shelf, principal


@pytest.fixture(scope="session")
def shelved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of the library, to be copied instead of made again for each test."""
    folder = tmp_path_factory.mktemp("shelved")
    made = Library(f"sqlite:///{folder / 'library.sqlite3'}", str(folder))
    fill(made)
    made.close()
    return (folder / "library.sqlite3").read_bytes()


@pytest.fixture
def library(tmp_path: Path, shelved: bytes) -> Iterator[Library]:
    """A library on SQLite: ann's novel, ben's draft, and a book in the cellar."""
    (tmp_path / "library.sqlite3").write_bytes(shelved)
    made = Library(f"sqlite:///{tmp_path / 'library.sqlite3'}", str(tmp_path / "instance"))
    yield made
    made.close()


def fill(library: Library) -> None:
    shelves = [Shelf(id=1, name="hall", curator="cid"), Shelf(id=2, name="cellar", curator="dan")]
    library.add(*shelves)
    ann, ben = principal("ann"), principal("ben")
    library.add(
        Book(id=1, title="Licet", owner=ann, note="signed", pages=90, shelf_id=1),
        Book(id=2, title="Draft", owner=ben, note="secret", rating=-1, shelf_id=1),
        Book(id=3, title="Atlas", owner=ben, note="torn", shelf_id=2),
    )
