"""A small app's models and revisions, with whatever fault a test wants in the models."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column

from licet.db.branches.branch import APP, Branch

FIRST = '''"""Authors and notes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "aa01"
down_revision = None
branch_labels = None
depends_on = None

KIND = sa.Enum("draft", "open", name="kind", create_constraint=True).with_variant(
    postgresql.ENUM("draft", "open", name="kind", create_type=False), "postgresql"
)


def upgrade():
    sa.Enum("draft", "open", name="kind").create(op.get_bind(), checkfirst=True)
    op.create_table(
        "author",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
    )
    op.create_table(
        "note",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(40), nullable=False),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("size", sa.Integer, nullable=False, server_default="0"),
        sa.Column("author_id", sa.Integer, nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_note_size")),
        sa.UniqueConstraint("title", name="uq_note_title"),
        sa.ForeignKeyConstraint(["author_id"], ["author.id"], name="fk_note_author"),
    )
    op.create_index("ix_note_size", "note", ["size"])


def downgrade():
    """Lose author and note."""
    op.drop_table("note")
    op.drop_table("author")
    sa.Enum(name="kind").drop(op.get_bind(), checkfirst=True)
'''
NEXT = '''"""What {number} does."""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade():
    {up}


def downgrade():
    {down}
'''


def models(fault: str = "") -> type[DeclarativeBase]:
    """The models that fit the first revision, or that have the one fault."""

    class Base(DeclarativeBase):
        metadata = sa.MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})

    class Author(Base):
        __tablename__ = "author"
        id = mapped_column(sa.Integer, primary_key=True)
        if fault != "leftover column":
            name = mapped_column(sa.String(80 if fault == "type" else 40), nullable=False)
        if fault == "column":
            website = mapped_column(sa.String(80), deferred=True)

    class Note(Base):
        __tablename__ = "note"
        __table_args__ = (
            sa.CheckConstraint("size >= 1" if fault == "condition" else "size >= 0", name="size"),
            sa.Index("ix_note_size", "size"),
            sa.UniqueConstraint("title", name="uq_note_title"),
            *_rules(fault),
        )
        id = mapped_column(sa.Integer, primary_key=True)
        title = mapped_column(sa.String(40), nullable=fault == "nullability")
        kind = mapped_column(
            sa.Enum(*_values(fault), name="kind", create_constraint=True), nullable=False
        )
        size = mapped_column(
            sa.Integer, nullable=False, server_default="7" if fault == "default" else "0"
        )
        author_id = mapped_column(
            sa.ForeignKey("author.id", name="fk_note_author", ondelete=_cascade(fault)),
            nullable=False,
        )

    Base.kept = [Author, Note]  # the registry alone does not keep them
    if fault == "table":

        class Page(Base):
            __tablename__ = "page"
            id = mapped_column(sa.Integer, primary_key=True)

        Base.kept.append(Page)

    return Base


def _rules(fault: str) -> list[sa.SchemaItem]:
    if fault == "index":
        return [sa.Index("ix_note_kind", "kind", "size")]
    if fault == "CHECK":
        return [sa.CheckConstraint("title <> ''", name="title")]
    if fault == "nameless CHECK":
        return [sa.CheckConstraint("title <> ''")]
    if fault == "UNIQUE":
        return [sa.UniqueConstraint("kind", "size", name="uq_note_kind")]
    return []


def _values(fault: str) -> list[str]:
    return {
        "enum value": ["draft", "open", "shut"],
        "leftover enum value": ["draft"],
    }.get(fault, ["draft", "open"])


def _cascade(fault: str) -> str | None:
    return "CASCADE" if fault == "foreign key" else None


def branch_of(
    base: type[DeclarativeBase], url: str | sa.URL, folder: Path, *scripts: str
) -> Branch:
    """The app's branch with these revisions, of which the first makes authors and notes."""
    versions = folder / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    for number, script in enumerate(scripts):
        (versions / f"{number}.py").write_text(script, "utf-8")
    return Branch(
        name=APP,
        url=sa.make_url(url),
        metadata=base.metadata,
        version_table="alembic_version",
        versions=versions,
        mappers=lambda: base.registry.mappers,
    )


def script(number: str, after: str, up: str = "pass", down: str = "pass") -> str:
    """A revision of one statement each way."""
    return NEXT.format(number=number, after=after, up=up, down=down)
