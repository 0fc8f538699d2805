"""Revisions that fork, join and depend on each other."""

import ast

import pytest
from tests.unit.db.branches.notes import FIRST, branch_of, models, script
from tests.unit.db.branches.test_moves import ask, heads

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal import rehearse
from licet.db.branches.writing import write_revision
from licet.errors import ConfigurationError, SchemaUnusable


@pytest.fixture
def branch(tmp_path):
    """On SQLite: what is asked here is no question of the database's."""
    return branch_of(models(), f"sqlite:///{tmp_path / 'x.sqlite3'}", tmp_path, FIRST)


def add(branch, number, after, **others):
    """Another revision; `others` are what its script assigns."""
    text = script(number, "AFTER").replace("'AFTER'", repr(after)).replace('"AFTER"', repr(after))
    for name, value in others.items():
        text = text.replace(f"{name} = None", f"{name} = {value!r}")
    (branch.versions / f"{number}.py").write_text(text)


def test_a_head_that_another_revision_depends_on_is_no_head(branch):
    """Alembic writes down the other one alone: the database is not behind for ever."""
    add(branch, "bb02", "aa01")
    add(branch, "cc01", None)
    add(branch, "cc02", "cc01", depends_on="bb02")
    move(branch, "upgrade")
    assert heads(branch) == {"cc02"}
    assert check(branch).differences == ()
    assert rehearse(branch).findings == []
    changed = branch_of(models("column"), branch.url, branch.versions.parent)
    assert write_revision(changed, "more", head="cc02").unresolved == ()


def test_the_newest_revision_is_undone_if_it_is_a_merge(branch):
    """Both that it joined are there afterwards; a rehearsal does the same."""
    add(branch, "bb02", "aa01")
    add(branch, "bb03", "aa01")
    add(branch, "cc04", ("bb02", "bb03"))
    move(branch, "upgrade")
    assert rehearse(branch).findings == []
    move(branch, "downgrade", "-1")
    assert heads(branch) == {"bb02", "bb03"}
    add(branch, "cc05", "cc04")
    move(branch, "upgrade")
    with pytest.raises(ConfigurationError, match=r"is a merge, .* name the revision to go back to"):
        move(branch, "downgrade", "-3")


def test_which_of_several_heads_is_undone_is_to_be_said(branch):
    """Alembic takes any; here none goes before one is named."""
    add(branch, "bb02", "aa01", branch_labels=("left",))
    add(branch, "bb03", "aa01", branch_labels=("right",))
    move(branch, "upgrade")
    with pytest.raises(ConfigurationError, match=r"several revisions, bb02, bb03: say .* bb02@-1"):
        move(branch, "downgrade", "-1")
    move(branch, "downgrade", "bb02@-1")
    assert heads(branch) == {"bb03"}


@pytest.mark.parametrize("is_empty", [True, False])
def test_which_of_several_heads_a_revision_follows_is_to_be_said(branch, is_empty):
    """By its number or its label."""
    add(branch, "bb02", "aa01", branch_labels=("left",))
    add(branch, "bb03", "aa01", branch_labels=("right",))
    move(branch, "upgrade")
    changed = branch_of(models("column"), branch.url, branch.versions.parent)
    with pytest.raises(ConfigurationError, match=r"several heads, bb02, bb03: .* --head bb02"):
        write_revision(changed, "more", is_empty=is_empty)
    with pytest.raises(ConfigurationError, match="Can't locate revision identified by 'none'"):
        write_revision(changed, "more", is_empty=is_empty, head="none")
    written = write_revision(changed, "more", is_empty=is_empty, head="right@head")
    assert "Revises: bb03" in written.path.read_text()
    move(changed, "upgrade")
    assert "bb02" in heads(changed)


def test_two_scripts_of_one_revision_are_refused(branch):
    """Only one of them would ever run, and nothing would tell of the other."""
    add(branch, "bb02", "aa01")
    (branch.versions / "other.py").write_text((branch.versions / "bb02.py").read_text())
    for run in (lambda: move(branch, "upgrade"), lambda: write_revision(branch, "more")):
        with pytest.raises(SchemaUnusable, match=r"bb02.py and other.py in .* revision bb02"):
            run()
    assert ask(branch, "SELECT name FROM sqlite_master") == []


@pytest.mark.parametrize(
    "message", ['say """so"""', r"C:\new \x and \N{", 'at the end"', "50% {x}"]
)
def test_a_message_of_any_letters_is_written(branch, message):
    """The script can be loaded, and says what was said."""
    written = write_revision(branch, message, is_empty=True)
    move(branch, "upgrade")
    assert ast.get_docstring(ast.parse(written.path.read_text())).startswith(message)
