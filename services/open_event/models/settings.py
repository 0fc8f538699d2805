"""The settings of the whole service: one row."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base

TEXT = sa.String(500)


class Setting(Base):
    """What everybody sees, what staff sees, and secrets that are only written."""

    __tablename__ = "setting"

    id: Mapped[int] = mapped_column(primary_key=True)
    app_name: Mapped[str | None] = mapped_column(TEXT)
    tagline: Mapped[str | None] = mapped_column(TEXT)
    analytics_key: Mapped[str | None] = mapped_column(TEXT)
    stripe_publishable_key: Mapped[str | None] = mapped_column(TEXT)
    google_url: Mapped[str | None] = mapped_column(TEXT)
    github_url: Mapped[str | None] = mapped_column(TEXT)
    twitter_url: Mapped[str | None] = mapped_column(TEXT)
    support_url: Mapped[str | None] = mapped_column(TEXT)
    facebook_url: Mapped[str | None] = mapped_column(TEXT)
    youtube_url: Mapped[str | None] = mapped_column(TEXT)
    android_app_url: Mapped[str | None] = mapped_column(TEXT)
    web_app_url: Mapped[str | None] = mapped_column(TEXT)
    email_from: Mapped[str | None] = mapped_column(TEXT)
    smtp_host: Mapped[str | None] = mapped_column(TEXT)
    smtp_port: Mapped[int | None]
    smtp_username: Mapped[str | None] = mapped_column(TEXT)
    smtp_password: Mapped[str | None] = mapped_column(TEXT)
    stripe_secret_key: Mapped[str | None] = mapped_column(TEXT)
    paypal_client: Mapped[str | None] = mapped_column(TEXT)
    paypal_secret: Mapped[str | None] = mapped_column(TEXT)


PUBLIC_SETTINGS = (
    *("app_name", "tagline", "analytics_key", "stripe_publishable_key", "google_url"),
    *("github_url", "twitter_url", "support_url", "facebook_url", "youtube_url"),
    *("android_app_url", "web_app_url"),
)
STAFF_SETTINGS = ("email_from", "smtp_host", "smtp_port", "smtp_username", "paypal_client")
SECRET_SETTINGS = ("smtp_password", "stripe_secret_key", "paypal_secret")
