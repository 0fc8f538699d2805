"""The fields of an event's custom forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, FieldType, enum_type

if TYPE_CHECKING:
    from .events import Event


class CustomForm(Base):
    """One field of one form. The forms session and speaker bind the resources of these names."""

    __tablename__ = "custom_form"
    __table_args__ = (
        sa.UniqueConstraint("event_id", "field_identifier", "form", name="uq_custom_form_field"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id", ondelete="CASCADE"))
    field_identifier: Mapped[str] = mapped_column(sa.String(100))
    form: Mapped[str] = mapped_column(sa.String(50))
    type: Mapped[FieldType] = mapped_column(enum_type(FieldType))
    name: Mapped[str | None] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    is_required: Mapped[bool] = mapped_column(default=False)
    is_included: Mapped[bool] = mapped_column(default=False)
    is_fixed: Mapped[bool] = mapped_column(default=False)
    is_public: Mapped[bool] = mapped_column(default=False)
    is_complex: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    min: Mapped[int | None]
    max: Mapped[int | None]
    main_language: Mapped[str | None] = mapped_column(sa.String(20))
    translations: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    options: Mapped[list[dict[str, Any]] | None] = mapped_column(sa.JSON(none_as_null=True))

    event: Mapped[Event] = relationship(back_populates="custom_forms")
