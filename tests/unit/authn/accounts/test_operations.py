"""Signing up, in and out, changing and resetting passwords, blocking and deleting."""

import logging
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from tests.unit.authn.accounts.people import (
    CHEAP,
    EMAIL,
    PASSWORD,
    Mails,
    ann,
    asked,
    grant,
    mailed_reset,
    mailed_sign_up,
    make_parts,
    verifier,
)

from licet.authn.accounts import credentials, sessions
from licet.authn.accounts.documents import ChangePassword, ConfirmAddress, ResetPassword, SignIn
from licet.authn.accounts.parts import NOWHERE, Place
from licet.authn.accounts.passwords import Passwords
from licet.authn.throttle import Limit, Limits
from licet.errors import (
    InvalidCredentials,
    InvalidLink,
    InvalidRequest,
    InvalidToken,
    TooManyAttempts,
)

NEW = "battery staple"


def change(parts, account_id, old=PASSWORD, new=NEW, address=None):
    """Change a password."""
    body = ChangePassword(current_password=old, new_password=new)
    credentials.change_password(parts, account_id, body, Place(address))


def reset(parts, secret, password=NEW):
    """Answer a reset's mail."""
    credentials.reset_password(parts, ResetPassword(token=secret, password=password))


def confirm(parts, secret, password=PASSWORD, address=None):
    """Answer a sign-up's mail."""
    asked = ConfirmAddress(token=secret, password=password)
    credentials.confirm_address(parts, asked, Place(address))


def is_good(parts, access_token):
    """Whether a token is accepted in the process of these parts."""
    try:
        verifier(parts).verify(access_token)
    except InvalidToken:
        return False
    return True


def subjects(parts):
    """What the mails are about, after all were sent."""
    assert parts.outbox.wait(10)
    return [mail.subject for mail in parts.mail.sent]


def test_an_account_begins_with_an_answered_mail(parts_of_both):
    """Before the mail is answered nobody signs in; the link is good once."""
    parts = parts_of_both
    secret = mailed_sign_up(parts)
    assert parts.mail.sent[-1].to == EMAIL
    with pytest.raises(InvalidCredentials):
        grant(parts)
    confirm(parts, secret)
    with pytest.raises(InvalidLink):
        confirm(parts, secret)
    assert grant(parts, email=EMAIL.upper()).scope == "read write"


def test_a_confirmation_is_good_for_a_day(parts, clock):
    """Then the link is too old."""
    secret = mailed_sign_up(parts)
    clock.now += 24 * 3600
    with pytest.raises(InvalidLink):
        confirm(parts, secret)


def test_a_strangers_sign_up_cannot_be_confirmed(parts_of_both):
    """The owner of the address, who follows the mail of a stranger's sign-up, confirms nothing."""
    parts = parts_of_both
    theirs = mailed_sign_up(parts, password="of the thief")
    with pytest.raises(InvalidCredentials, match="sign up again"):
        confirm(parts, theirs)
    for password in ("of the thief", PASSWORD):
        with pytest.raises(InvalidCredentials):
            grant(parts, password)


def test_a_second_sign_up_ends_the_first(parts_of_both):
    """Whichever is followed first: only the last sign-up of an address makes an account."""
    parts = parts_of_both
    theirs = mailed_sign_up(parts, EMAIL.upper(), "of the thief")
    mine = mailed_sign_up(parts)
    with pytest.raises(InvalidLink):
        confirm(parts, theirs, "of the thief")
    confirm(parts, mine)
    with pytest.raises(InvalidCredentials):
        grant(parts, "of the thief")
    assert grant(parts)


def test_passwords_are_not_tried_on_a_link_forever(parts):
    """Ten with one link, whoever follows it, and as many from one address as for signing in."""
    parts = replace(parts, limits=Limits(passwords=Limit(attempts=2, seconds=900)))
    secret = mailed_sign_up(parts)
    for _ in range(2):
        with pytest.raises(InvalidCredentials):
            confirm(parts, secret, "not this one")
    with pytest.raises(TooManyAttempts):
        confirm(parts, secret)


def test_confirmations_are_counted_by_address(parts):
    """Among the passwords that are tried from there."""
    parts = replace(parts, limits=Limits(passwords_by_address=Limit(attempts=1, seconds=900)))
    secret = mailed_sign_up(parts)
    with pytest.raises(InvalidCredentials):
        confirm(parts, secret, "not this one", "192.0.2.7")
    with pytest.raises(TooManyAttempts):
        confirm(parts, secret, address="192.0.2.7")


def test_a_known_address_is_told_by_mail_alone(parts):
    """Its owner learns that somebody signed up, and nothing changes."""
    ann(parts)
    credentials.sign_up(parts, asked(EMAIL.lower(), NEW))
    assert subjects(parts) == ["You have an account already"]
    assert "token=" not in parts.mail.sent[0].text
    assert grant(parts)


def test_an_operators_account_needs_no_mail(parts):
    """It is there at once, once, with the role and id that the operator gives."""
    made = credentials.create_account(parts, asked(), is_admin=True, account_id="x")
    assert made.id == "x"
    assert ann(parts) is None
    assert verifier(parts).verify(grant(parts).access_token).roles == {"admin"}


def test_the_token_says_who_it_is(parts):
    """Account, address, session and scopes pass the verifier that foreign tokens pass."""
    made = ann(parts)
    found = grant(parts, scope="read")
    identity = verifier(parts).verify(found.access_token)
    assert identity.subject == made.id
    assert identity.principal == f"urn:licet:identity:{made.id}"
    assert identity.scopes == {"read"}
    assert identity.claims["email"] == EMAIL
    assert identity.claims["email_verified"] is True
    assert identity.claims["exp"] - identity.claims["iat"] == found.expires_in == 900
    assert identity.roles == frozenset()


@pytest.mark.parametrize(
    ("wanted", "given"), [(None, "read write"), ("", ""), ("write read write", "write read")]
)
def test_scopes_are_asked_for(parts, wanted, given):
    """Some, none, or all when nothing is said."""
    ann(parts)
    assert grant(parts, scope=wanted).as_dict()["scope"] == given


def test_other_scopes_are_refused(parts):
    """Before the password is looked at, so that nothing is learned of the account."""
    with pytest.raises(InvalidRequest, match=r"are: read write"):
        grant(parts, scope="read admin")
    with pytest.raises(InvalidRequest, match="are: none"):
        grant(replace(parts, grantable=list), scope="read")


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
def test_a_wrong_password_or_address_is_one_answer(parts, email):
    """Nobody is told which of them was wrong."""
    ann(parts)
    with pytest.raises(InvalidCredentials) as caught:
        grant(parts, "wrong", email=email)
    assert caught.value.description == "The address or the password is not right."


def test_even_the_decoys_password_opens_nothing(parts):
    """A password that fits the hash for missing accounts is refused."""
    guessed = replace(parts, passwords=Passwords(CHEAP, random_bytes=bytes))
    assert guessed.passwords.verify(guessed.passwords.decoy, "A" * 43 + "=")
    with pytest.raises(InvalidCredentials):
        grant(guessed, "A" * 43 + "=", email="nobody@example.org")


def test_a_better_hash_takes_the_old_ones_place(parts):
    """When the parameters have risen, signing in with the right password makes a new hash."""
    made = ann(parts)
    better = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    raised = replace(parts, passwords=Passwords(better))
    with pytest.raises(InvalidCredentials):
        grant(raised, "wrong")
    assert parts.store.get(made.id) == made
    grant(raised)
    rehashed = parts.store.get(made.id).password_hash
    assert "t=2" in rehashed
    grant(raised)
    assert parts.store.get(made.id).password_hash == rehashed


def test_refreshing_goes_on(parts_of_both, clock):
    """Each refresh token gives the next one, with the session's scopes and the account's state."""
    parts = parts_of_both
    ann(parts)
    found = grant(parts, scope="read")
    for _ in range(3):
        clock.now += 900
        found = sessions.refresh(parts, found.refresh_token)
        assert verifier(parts).verify(found.access_token).scopes == {"read"}
    clock.now += 900
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, found.refresh_token)


def test_two_refreshes_with_one_token_end_the_family(parts_of_both):
    """Neither the thief nor the owner goes on, and access tokens are withdrawn at once."""
    parts = parts_of_both
    ann(parts)
    other, first = grant(parts), grant(parts)
    second = sessions.refresh(parts, first.refresh_token)
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, first.refresh_token)
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, second.refresh_token)
    assert not is_good(parts, first.access_token)
    assert not is_good(parts, second.access_token)
    assert is_good(parts, other.access_token)


def test_a_token_of_nobody_is_refused(parts):
    """A refresh token that was never given out is as good as an old one."""
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, "x")


def end_by_token(parts, _made, found):
    sessions.sign_out_token(parts, found.refresh_token)


def end_by_id(parts, _made, found):
    identity = verifier(parts).verify(found.access_token)
    sessions.sign_out(parts, identity.claims["sid"])


@pytest.mark.parametrize("end", [end_by_token, end_by_id])
def test_signing_out_ends_one_session(parts, end):
    """Its tokens are over at once; other sessions go on."""
    made = ann(parts)
    mine, other = grant(parts), grant(parts)
    end(parts, made, mine)
    assert not is_good(parts, mine.access_token)
    assert is_good(parts, other.access_token)
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, mine.refresh_token)
    sessions.sign_out_token(parts, mine.refresh_token)


def end_everywhere(parts, made):
    sessions.sign_out_everywhere(parts, made.id)


def end_by_change(parts, made):
    change(parts, made.id)


def end_by_reset(parts, _made):
    reset(parts, mailed_reset(parts))


def end_by_block(parts, _made):
    assert credentials.set_blocked(parts, EMAIL.upper(), blocked=True)


def end_by_delete(parts, made):
    credentials.delete_account(parts, made.id, PASSWORD)


ENDS = [end_everywhere, end_by_change, end_by_reset, end_by_block, end_by_delete]


@pytest.mark.parametrize("end", ENDS)
def test_everything_ends(parts_of_both, clock, end, tmp_path):
    """At once in the same process, within two seconds in another; nobody else is touched."""
    parts = parts_of_both
    other = make_parts(parts.store._database(), tmp_path, clock=clock)
    made = ann(parts)
    ann(parts, email="bob@example.org")
    mine = grant(parts)
    cookie = sessions.open_with_cookie(parts, SignIn(email=EMAIL, password=PASSWORD), NOWHERE)
    bobs = grant(parts, email="bob@example.org")
    assert is_good(other, mine.access_token)
    end(parts, made)
    assert not is_good(parts, mine.access_token)
    clock.now += 1.99
    seen_by_others = is_good(other, mine.access_token)
    clock.now += 0.01
    assert not is_good(other, mine.access_token)
    assert seen_by_others
    assert sessions.session_of_cookie(other, cookie) is None
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, mine.refresh_token)
    assert is_good(parts, bobs.access_token)
    assert is_good(other, bobs.access_token)
    assert other.outbox.wait(10)


@pytest.mark.parametrize("end", [end_everywhere, end_by_change, end_by_reset])
def test_a_new_session_after_the_end_is_good(parts, end):
    """Tokens of the very same second, made after the withdrawal, are not withdrawn."""
    made = ann(parts)
    end(parts, made)
    password = PASSWORD if end is end_everywhere else NEW
    assert is_good(parts, grant(parts, password).access_token)


def test_a_changed_password_is_told_by_mail(parts):
    """The old one is good no more, and the owner is told."""
    made = ann(parts)
    change(parts, made.id)
    assert subjects(parts) == ["Your password was changed"]
    with pytest.raises(InvalidCredentials):
        grant(parts)
    assert grant(parts, NEW)


def test_the_present_password_is_needed(parts):
    """Neither a change nor a deletion is done on a token alone."""
    made = ann(parts)
    with pytest.raises(InvalidCredentials):
        change(parts, made.id, old="wrong")
    with pytest.raises(InvalidCredentials):
        credentials.delete_account(parts, made.id, "wrong")
    assert grant(parts)
    with pytest.raises(InvalidToken, match="deleted"):
        change(parts, "gone")


def test_no_new_password_is_the_address(parts):
    """Neither by a change nor by a reset; the link stays good for another."""
    made = ann(parts)
    with pytest.raises(InvalidRequest, match="new_password: the address"):
        change(parts, made.id, new=EMAIL.upper())
    secret = mailed_reset(parts)
    with pytest.raises(InvalidRequest, match="password: the address"):
        reset(parts, secret, EMAIL)
    reset(parts, secret)


def test_a_deleted_account_is_gone(parts):
    """The address is free; whoever signs up with it is somebody else."""
    made = ann(parts)
    credentials.delete_account(parts, made.id, PASSWORD)
    with pytest.raises(InvalidCredentials):
        grant(parts)
    confirm(parts, mailed_sign_up(parts))
    identity = verifier(parts).verify(grant(parts).access_token)
    assert identity.subject != made.id


def test_a_blocked_account_is_out_until_it_is_unblocked(parts):
    """It is answered like a wrong password, and gets no reset link."""
    ann(parts)
    credentials.set_blocked(parts, EMAIL, blocked=True)
    with pytest.raises(InvalidCredentials):
        grant(parts)
    credentials.ask_reset(parts, EMAIL)
    assert subjects(parts) == []
    credentials.set_blocked(parts, EMAIL, blocked=False)
    assert is_good(parts, grant(parts).access_token)
    assert not credentials.set_blocked(parts, "nobody@example.org", blocked=True)


def test_blocking_spends_reset_links(parts):
    """A link that was sent before is good no more."""
    ann(parts)
    secret = mailed_reset(parts)
    credentials.set_blocked(parts, EMAIL, blocked=True)
    with pytest.raises(InvalidLink):
        reset(parts, secret)


def test_blocked_in_the_moment_of_signing_in(parts):
    """A password that was verified before the block opens no session after it."""
    made = ann(parts)

    class Slow(Passwords):
        def is_outdated(self, kept):
            credentials.set_blocked(parts, EMAIL, blocked=True)
            return super().is_outdated(kept)

    slow = replace(parts, passwords=Slow(parts.passwords._hasher))
    with pytest.raises(InvalidCredentials):
        grant(slow)
    assert parts.store.get(made.id).blocked_at


def test_a_reset_link_is_good_once_and_for_an_hour(parts, clock):
    """The password is set; the link is spent, and so are all others."""
    ann(parts)
    older, newer = mailed_reset(parts), mailed_reset(parts)
    reset(parts, older)
    for secret in (older, newer, "never"):
        with pytest.raises(InvalidLink):
            reset(parts, secret)
    assert grant(parts, NEW)
    late = mailed_reset(parts)
    clock.now += 3600
    with pytest.raises(InvalidLink):
        reset(parts, late)


def test_a_link_that_is_used_while_it_is_used(parts):
    """Of two that answer one mail at once, one sets the password."""
    ann(parts)
    secret = mailed_reset(parts)

    class Slow(Passwords):
        def hash(self, password):
            if password == "the second":
                reset(parts, secret)
            return super().hash(password)

    with pytest.raises(InvalidLink):
        reset(replace(parts, passwords=Slow(parts.passwords._hasher)), secret, "the second")
    assert grant(parts, NEW)


def test_an_account_deleted_after_its_reset(parts, monkeypatch):
    """Nobody is written to when the account is gone by then."""
    ann(parts)
    secret = mailed_reset(parts)
    monkeypatch.setattr(parts.store, "get", lambda _account_id: None)
    reset(parts, secret)
    assert subjects(parts) == ["Choose a new password"]


def test_a_reset_of_nobody_sends_nothing(parts):
    """Whether there is an account shows in its mailbox only."""
    credentials.ask_reset(parts, "nobody@example.org")
    assert subjects(parts) == []


TIGHT = Limits(
    passwords=Limit(attempts=3, seconds=900),
    mails=Limit(attempts=2, seconds=3600),
    passwords_by_address=Limit(attempts=5, seconds=900),
    mails_by_address=Limit(attempts=3, seconds=3600),
)


def attempts(parts, email, number, address=None):
    """How so many wrong passwords are answered."""
    answers = []
    for _ in range(number):
        with pytest.raises((InvalidCredentials, TooManyAttempts)) as caught:
            grant(parts, "wrong", email=email, address=address)
        answers.append(caught.value.code)
    return answers


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
def test_guessing_at_one_account_ends_soon(parts, clock, email):
    """After so many, even the right password waits; for accounts that do not exist as well."""
    parts = replace(parts, limits=TIGHT)
    ann(parts)
    assert attempts(parts, email, 5) == [401, 401, 401, 429, 429]
    with pytest.raises(TooManyAttempts) as caught:
        grant(parts, email=email.upper())
    assert caught.value.retry_after_seconds == 900
    clock.now += 900
    assert attempts(parts, email, 1) == [401]


def test_a_right_password_starts_the_count_anew(parts):
    """Whoever knows it is not kept out by yesterday's mistakes."""
    parts = replace(parts, limits=TIGHT)
    ann(parts)
    for _ in range(3):
        assert attempts(parts, EMAIL, 2) == [401, 401]
        grant(parts)


def test_a_reset_starts_the_count_anew(parts):
    """Whoever was kept out gets in with the new password."""
    parts = replace(parts, limits=TIGHT)
    ann(parts)
    attempts(parts, EMAIL, 4)
    reset(parts, mailed_reset(parts))
    assert grant(parts, NEW)


def test_changing_counts_like_signing_in(parts):
    """A stolen token is no way to guess the password."""
    parts = replace(parts, limits=TIGHT)
    made = ann(parts)
    for error in [InvalidCredentials] * 3 + [TooManyAttempts]:
        with pytest.raises(error):
            change(parts, made.id, old="wrong")


def test_guessing_from_one_address_ends_soon(parts):
    """Other accounts, other addresses: one caller tries only so often."""
    parts = replace(parts, limits=TIGHT)
    answers = [attempts(parts, f"a{number}@example.org", 1, "192.0.2.1")[0] for number in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert attempts(parts, "b@example.org", 1, "192.0.2.2") == [401]


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
def test_nobodys_mailbox_is_filled(parts, email):
    """So many mails in an hour, sign-ups and resets together, for every address alike."""
    parts = replace(parts, limits=TIGHT)
    ann(parts)
    credentials.ask_reset(parts, email)
    credentials.sign_up(parts, asked(email))
    with pytest.raises(TooManyAttempts):
        credentials.ask_reset(parts, email)
    with pytest.raises(TooManyAttempts):
        credentials.sign_up(parts, asked(email))


def test_one_address_asks_for_only_so_many_mails(parts):
    """However many mailboxes it names."""
    parts = replace(parts, limits=TIGHT)
    for number in range(3):
        credentials.ask_reset(parts, f"a{number}@example.org", Place("192.0.2.1"))
    with pytest.raises(TooManyAttempts):
        credentials.sign_up(parts, asked(), Place("192.0.2.1"))


def test_nothing_of_a_person_is_in_the_log(parts, caplog):
    """No password, no token, no address, in a whole life; nor in what a grant shows of itself."""
    with caplog.at_level(logging.DEBUG):
        confirm(parts, mailed_sign_up(parts))
        found = grant(parts)
        reset(parts, mailed_reset(parts))
        grant(parts, NEW)
        assert parts.outbox.wait(10)
    text = caplog.text + repr(found)
    secrets = (EMAIL, PASSWORD, NEW, found.access_token, found.refresh_token)
    assert not any(secret in text for secret in secrets)


def test_a_mail_that_cannot_be_sent_holds_nothing_up(parts, caplog):
    """The caller is answered as always; the log tells the kind of the failure."""

    class Broken(Mails):
        def send(self, mail):
            raise OSError(mail.to)

    ann(parts)
    credentials.ask_reset(replace(parts, mail=Broken()), EMAIL)
    assert parts.outbox.wait(10)
    assert caplog.messages == ["A job of the outbox failed: OSError"]


def test_secrets_are_random_and_kept_as_hashes(parts):
    """Each is another, of 256 bits, and what is kept opens nothing."""
    first, second = parts.new_secret(), parts.new_secret()
    assert len(first.text) == 43
    assert first.text != second.text
    assert first.digest not in first.text
    assert len({parts.new_id() for _ in range(9)}) == 9
