"""Mails: over SMTP to a real server, with and without TLS, and into a folder."""

import datetime as dt
import email
import email.policy
import ipaddress
import logging
import smtplib
import socket
import ssl
import stat

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from licet.authn.accounts import letters
from licet.authn.accounts import mail as mail_module
from licet.authn.accounts.mail import (
    FolderTransport,
    Mail,
    MailNotSent,
    SmtpTransport,
    transport_for,
)
from licet.errors import ConfigurationError

LETTER = Mail(to="ann@example.org", subject="Hello", text="A line.\nA link: https://x/?a=b\n")
SENDER = "licet@service.example"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that only we believe, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def server_tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate):
    return ssl.create_default_context(cafile=str(certificate))


class Handler:
    """What the server does: keeps mails, or answers as it is told."""

    def __init__(self):
        self.mails = []
        self.answers = []
        self.logins = []

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802 - as above
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((message, server.transport.get_extra_info("ssl_object") is not None))
        return "250 OK"

    def log_in(self, _server, _session, _envelope, _mechanism, data):
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def serve(handler):
    """A function that starts a real SMTP server; its port."""
    started = []

    def start(**options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
        controller.start()
        started.append(controller)
        return port

    yield start
    for controller in started:
        controller.stop()


@pytest.mark.usefixtures("no_backoff")
def test_a_mail_arrives(serve, handler):
    """Addresses, subject and text arrive as they were, links in one piece."""
    SmtpTransport(f"smtp://127.0.0.1:{serve()}", sender=SENDER).send(LETTER)
    [(message, over_tls)] = handler.mails
    assert (message["To"], message["From"]) == (LETTER.to, SENDER)
    assert message["Subject"] == "Hello"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@service.example>")
    assert message.get_content().replace("\r\n", "\n") == LETTER.text
    assert not over_tls


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_over_tls_with_a_password(serve, handler, server_tls, client_tls, scheme):
    """With TLS from the start or begun before anything is said, and a password after it."""
    auth = {"authenticator": handler.log_in, "auth_required": True}
    if scheme == "smtps":
        port = serve(ssl_context=server_tls, auth_require_tls=False, **auth)
    else:
        port = serve(tls_context=server_tls, require_starttls=True, **auth)
    url = f"{scheme}://user:p%40ss@127.0.0.1:{port}"
    SmtpTransport(url, sender=SENDER, context=client_tls).send(LETTER)
    assert [over_tls for _, over_tls in handler.mails] == [True]
    assert handler.logins == [(b"user", b"p@ss")]


@pytest.mark.usefixtures("no_backoff")
def test_a_stranger_with_a_certificate_gets_nothing(serve, handler, server_tls):
    """A server whose certificate nobody vouches for is not talked to."""
    port = serve(ssl_context=server_tls)
    with pytest.raises(MailNotSent, match="SSLCertVerificationError"):
        SmtpTransport(f"smtps://127.0.0.1:{port}", sender=SENDER).send(LETTER)
    assert handler.mails == []


@pytest.mark.usefixtures("no_backoff")
def test_no_password_is_said_without_the_tls_that_was_asked_for(serve, handler):
    """A server that does not offer STARTTLS gets neither password nor mail."""
    port = serve(authenticator=handler.log_in, auth_require_tls=False)
    with pytest.raises(MailNotSent):
        SmtpTransport(f"smtp+starttls://u:p@127.0.0.1:{port}", sender=SENDER).send(LETTER)
    assert handler.logins == handler.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.usefixtures("no_backoff")
def test_a_wrong_password_is_not_tried_again(serve, handler):
    """What the server refuses for good is told by its code."""
    port = serve(authenticator=handler.log_in, auth_required=True, auth_require_tls=False)
    with pytest.raises(MailNotSent, match="answered 535"):
        SmtpTransport(f"smtp://u:wrong@127.0.0.1:{port}", sender=SENDER).send(LETTER)
    assert len(handler.logins) == 2  # smtplib says it as PLAIN, then as LOGIN


@pytest.mark.usefixtures("no_backoff")
def test_a_server_that_is_busy_is_asked_again(serve, handler, caplog):
    """Later it takes the mail; the log does not tell to whom it went."""
    handler.answers = ["450 later ann@example.org", "451 later", "250 OK"]
    with caplog.at_level(logging.DEBUG):
        SmtpTransport(f"smtp://127.0.0.1:{serve()}", sender=SENDER).send(LETTER)
    assert len(handler.mails) == 1
    assert not any("ann@" in r.getMessage() for r in caplog.records if r.name != "mail.log")


@pytest.mark.usefixtures("no_backoff")
def test_a_recipient_that_is_refused_is_not_tried_again(serve, handler):
    """Neither error nor cause tells the address."""
    handler.answers = ["550 no such user ann@example.org"]
    with pytest.raises(MailNotSent, match=r"^the mail server answered 550$") as caught:
        SmtpTransport(f"smtp://127.0.0.1:{serve()}", sender=SENDER).send(LETTER)
    assert handler.answers == handler.mails == []
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("no_backoff")
def test_a_server_that_is_not_there_is_tried_four_times(monkeypatch):
    """Then the mail is given up."""
    tried = []

    def connect(*_arguments, **_options):
        tried.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(smtplib, "SMTP", connect)
    with pytest.raises(MailNotSent, match="ConnectionRefusedError"):
        SmtpTransport("smtp://mail.example", sender=SENDER).send(LETTER)
    assert len(tried) == 4


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://mail.example", "smtp://", "smtp://h:x", "smtp://h:0", "smtp://[h"],
)
def test_other_urls_are_refused_without_being_shown(url):
    """What is no SMTP URL is told at start, without the password that may be in it."""
    with pytest.raises(ConfigurationError, match="LICET_SMTP_URL") as caught:
        SmtpTransport(url, sender=SENDER)
    assert f" {url}:" not in str(caught.value)


def test_a_folder_takes_mails_when_there_is_no_server(tmp_path, caplog):
    """The mail is a file that only the owner reads; the log tells where, not what."""
    folder = tmp_path / "mail"
    with caplog.at_level(logging.INFO):
        FolderTransport(folder, sender=SENDER).send(LETTER)
    [path] = folder.iterdir()
    assert LETTER.text.splitlines()[1] in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert str(path) in caplog.text
    assert "ann@" not in caplog.text
    assert "link" not in caplog.text


def test_a_folder_keeps_the_newest(tmp_path, monkeypatch):
    """Old mails make room."""
    monkeypatch.setattr(mail_module, "_KEPT", 2)
    transport = FolderTransport(tmp_path, sender=SENDER)
    for number in range(4):
        transport.send(Mail(to="a@b", subject="s", text=f"{number}\n"))
    assert [path.read_text()[-2] for path in sorted(tmp_path.iterdir())] == ["2", "3"]


@pytest.mark.parametrize(
    "url",
    ["smtp://u:hidden@mail.example:587", "smtp://u@10.0.0.1", "smtp://:hidden@mail.example"],
)
def test_no_password_goes_in_clear_to_another_machine(url):
    """The refusal says which URL to write instead, without the password."""
    with pytest.raises(ConfigurationError, match=r"in clear: write smtp\+starttls://") as caught:
        SmtpTransport(url, sender=SENDER)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["smtp://u:p@localhost", "smtp://u:p@127.0.0.1:2525", "smtp://u:p@[::1]", "smtp://mail.a"],
)
def test_a_server_on_this_machine_may_get_one(url):
    """And any server a mail without a password."""
    assert SmtpTransport(url, sender=SENDER)


def test_a_folder_that_cannot_be_is_told(tmp_path):
    """A mail that cannot be written is not sent."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MailNotSent, match="no file"):
        FolderTransport(tmp_path / "file", sender=SENDER).send(LETTER)


def test_the_settings_say_how(tmp_path):
    """A URL means SMTP, none the folder; a sender without an address is refused."""
    assert isinstance(transport_for("smtp://h", sender=SENDER, folder=tmp_path), SmtpTransport)
    assert isinstance(transport_for("", sender=SENDER, folder=tmp_path), FolderTransport)
    for sender in ("licet", "a@b\nTo: c@d", "é@b"):
        with pytest.raises(ConfigurationError, match="LICET_MAIL_FROM"):
            transport_for("", sender=sender, folder=tmp_path)


def test_no_letter_adds_a_header():
    """A line break in a header is an error, not a second header."""
    with pytest.raises(ValueError, match="linefeed"):
        mail_module._message(Mail(to="a@b\r\nBcc: c@d", subject="s", text="t"), SENDER)


def test_a_site_with_another_script_is_written_to(tmp_path):
    """A text that is not ASCII arrives as well."""
    FolderTransport(tmp_path, sender=SENDER).send(Mail(to="a@b", subject="s", text="é\n"))
    [path] = tmp_path.iterdir()
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert message.get_content().strip() == "é"


def test_letters_lead_to_their_pages():
    """Each letter says what to do, and what to do when it was somebody else."""
    base = "https://service.example"
    assert f"{base}/auth/confirm?token=abc" in letters.confirm_address("a@b", base, "abc").text
    assert f"{base}/auth/new-password?token=abc" in letters.reset_password("a@b", base, "abc").text
    assert f"{base}/auth/sign-in" in letters.has_account_already("a@b", base).text
    assert f"{base}/auth/forgot-password" in letters.password_changed("a@b", base).text
    assert "abc" not in repr(letters.confirm_address("a@b", base, "abc"))
