"""How mails leave: over SMTP, or into a folder when no server is known.

Whoever reads the log learns that a mail was written or failed, never to whom or what it said.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import stamina

from licet.errors import ConfigurationError, ServiceUnavailable
from licet.wire.loopback import is_loopback

__all__ = [
    "FolderTransport",
    "Mail",
    "MailNotSent",
    "MailTransport",
    "Outbox",
    "SmtpTransport",
    "transport_for",
]


log = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 10
_ATTEMPTS: Final = 4
_KEPT: Final = 1000
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_MAX_WAITING: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A letter in plain text."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)


class MailTransport(Protocol):
    """Whatever can send a mail."""

    def send(self, mail: Mail) -> None:
        """Send it, or raise `MailNotSent`."""
        ...


class MailNotSent(Exception):
    """The mail server did not take it; tells the reply's code, never the address."""


class _MailDelayed(MailNotSent):
    """The mail server may take it later."""


class FolderTransport:
    """Writes each mail to a file, the newest thousand of which are kept.

    Args:
        folder: made with mode 0700 when it is missing.
        sender: the address in ``From``.
    """

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    def send(self, mail: Mail) -> None:
        """Write it; the log tells the path."""
        now = datetime.now(UTC)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{now:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}.eml"
            path.touch(mode=0o600)
            path.write_bytes(_message(mail, self._sender).as_bytes())
            for old in sorted(self._folder.glob("*.eml"))[:-_KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise MailNotSent(f"no file: {error.strerror}") from None
        log.warning("LICET_SMTP_URL is not set: a mail (%s) was written to %s", mail.subject, path)


class SmtpTransport:
    """Sends over SMTP, each mail over a connection of its own, four times at most.

    Args:
        url: ``smtps://user:password@host:465`` (TLS from the start), ``smtp+starttls://host:587``
            (TLS required before anything is said), or ``smtp://host:25`` (no TLS; with a password
            for a server on the same machine only).
        sender: the address in ``From``.
        context: whose certificates are believed; the system's when not given.

    Raises:
        ConfigurationError: the URL is none of these, or would send a password in clear.
    """

    def __init__(self, url: str, *, sender: str, context: ssl.SSLContext | None = None) -> None:
        self._url = _checked(url)
        self._sender = sender
        self._context = context or ssl.create_default_context()

    def send(self, mail: Mail) -> None:
        """Hand it to the server.

        Raises:
            MailNotSent: the server refused it, or could not be reached four times.
        """
        for attempt in stamina.retry_context(on=_MailDelayed, attempts=_ATTEMPTS, timeout=60):
            with attempt:
                self._send_once(mail)

    def _send_once(self, mail: Mail) -> None:
        # What smtplib raises names the address, so nothing of it goes on, not even as a cause.
        try:
            with self._connected() as server:
                server.send_message(_message(mail, self._sender))
        except smtplib.SMTPResponseException as error:
            raise _refused([error.smtp_code]) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(code for code, _text in error.recipients.values()) from None
        except (smtplib.SMTPException, OSError) as error:
            raise _MailDelayed(f"no answer: {type(error).__name__}") from None

    def _connected(self) -> smtplib.SMTP:
        url = self._url
        host, port = str(url.hostname), url.port or _PORTS[url.scheme]
        server: smtplib.SMTP
        if url.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_SECONDS, context=self._context)
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
        try:
            if url.scheme == "smtp+starttls":
                server.starttls(context=self._context)
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
        except BaseException:
            server.close()
            raise
        return server


def _refused(codes: Iterable[int]) -> MailNotSent:
    code = max(codes)
    kind: Callable[[str], MailNotSent] = MailNotSent if code >= 500 else _MailDelayed
    return kind(f"the mail server answered {code}")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            "LICET_SMTP_URL is not usable: write smtps://user:password@host, "
            "smtp+starttls://user:password@host:587 or smtp://localhost."
        )
    if parts.scheme == "smtp" and "@" in parts.netloc and not is_loopback(str(parts.hostname)):
        raise ConfigurationError(
            f"LICET_SMTP_URL would send the password to {parts.hostname} in clear: write "
            f"smtp+starttls://user:password@{parts.hostname}:587, or smtps:// for TLS from the "
            "start."
        )
    return parts


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    # Links stay in one piece, also for somebody who reads the file.
    message.set_content(mail.text, cte="7bit" if mail.text.isascii() else "quoted-printable")
    return message


def transport_for(smtp_url: str, *, sender: str, folder: Path) -> MailTransport:
    """SMTP when there is a URL, else the folder.

    Raises:
        ConfigurationError: the URL or the sender's address is not usable.
    """
    if not sender.isascii() or not sender.isprintable() or "@" not in sender:
        raise ConfigurationError(f"LICET_MAIL_FROM is {sender!r}: write an address.")
    if smtp_url:
        return SmtpTransport(smtp_url, sender=sender)
    return FolderTransport(folder, sender=sender)


class Outbox:
    """Runs jobs one after the other, on a thread of its own.

    Args:
        when_answered: called with the function that starts the work, to call it once the present
            request is answered; at once when it is not given.
        max_waiting: how many jobs may wait.

    Concurrency: safe from many threads, and after a fork.
    """

    def __init__(
        self,
        *,
        when_answered: Callable[[Callable[[], None]], None] = lambda start: start(),
        max_waiting: int = _MAX_WAITING,
    ) -> None:
        self._when_answered = when_answered
        self._max_waiting = max_waiting
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job` run soon. What it raises is logged by its kind alone.

        Raises:
            ServiceUnavailable: too many are waiting.
        """
        with self._lock:
            if len(self._waiting) >= self._max_waiting:
                raise ServiceUnavailable("Too many mails are waiting to be sent. Try again later.")
            self._waiting.append(job)
        self._when_answered(self._start)

    def offer(self, job: Callable[[], None]) -> None:
        """Have `job` run soon; if too many are waiting it is left out, which is logged."""
        try:
            self.submit(job)
        except ServiceUnavailable:
            log.error("A mail was left out: %s wait already", self._max_waiting)  # noqa: TRY400 - no traceback helps

    def tidy(self, job: Callable[[], None]) -> None:
        """Run `job` once the present request is answered, on its thread, behind no mail.

        What it raises is logged by its kind alone.
        """
        self._when_answered(lambda: _run(job))

    def _start(self) -> None:
        with self._lock:
            if self._waiting and (self._worker is None or not self._worker.is_alive()):
                self._worker = threading.Thread(target=self._work, name="licet-outbox")
                self._worker.start()

    def wait(self, timeout_seconds: float) -> bool:
        """Whether everything that was submitted is done, at the latest after so long."""
        self._start()
        with self._lock:
            worker = self._worker
        if worker is not None:
            worker.join(timeout_seconds)
        return worker is None or not worker.is_alive()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._worker = None
                    return
                job = self._waiting.popleft()
            _run(job)


def _run(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception as error:  # noqa: BLE001 - whatever a job raises, the next one runs
        # Neither text nor traceback: they may hold an address.
        log.error("A job of the outbox failed: %s", type(error).__name__)  # noqa: TRY400 - as above
