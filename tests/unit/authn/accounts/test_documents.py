"""What is an address, and what is a password."""

import pytest
from pydantic import ValidationError

from licet.authn.accounts.documents import SignIn, SignUp, address_key, complaints

GOOD = "correct horse"


def sign_up(**values):
    """A sign-up with these values in place of good ones."""
    return SignUp.model_validate({"email": "a@example.org", "password": GOOD} | values)


@pytest.mark.parametrize(
    "address",
    [
        "a@b",
        "a.b+c@example.org",
        "x" * 64 + "@example.org",
        "a@1.2",
        "O'Hara@x--y.example",
        " a@b ",
    ],
)
def test_addresses(address):
    """What mail servers take is taken, without the spaces around."""
    assert sign_up(email=address).email == address.strip()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b",
        "a@",
        "a@@b",
        "a b@c",
        "a@b c",
        "a@-b",
        "a@b-",
        "a@b..c",
        ".a@b",
        "a.@b",
        "a@b\n",
        "a@b\r\nBcc: c@d",
        "\ta@b",
        "a,b@c",
        "<a@b>",
        "\u212aen@b",
        "é@b",
        "a@é",
        "x" * 65 + "@b",
        "a@" + "b." * 130 + "c",
        "a" * 400,
        None,
        5,
    ],
)
def test_other_addresses_are_refused(address):
    """What could be two addresses, or a header of its own, is refused."""
    with pytest.raises(ValidationError):
        sign_up(email=address)


def test_addresses_are_compared_without_case():
    """Two spellings of one address are one."""
    assert address_key("Ann@Example.ORG") == address_key("ann@example.org")


@pytest.mark.parametrize(
    "password", ["x" * 10, "x" * 1024, "pass\0words", " " * 10, "\U0001f40e" * 10]
)
def test_passwords(password):
    """10 characters to 1,024 bytes, whatever they are."""
    assert sign_up(password=password).password == password


@pytest.mark.parametrize(
    "password", ["", "x" * 9, "e\u0301" * 9, "x" * 1025, "é" * 513, "\ud800" * 8, 5]
)
def test_other_passwords_are_refused(password):
    """Characters are counted when composed, bytes in UTF-8; half characters are none."""
    with pytest.raises(ValidationError):
        sign_up(password=password)


def test_a_password_is_the_same_however_it_was_typed():
    """Composed and decomposed spellings are one password."""
    assert sign_up(password="e\u0301" * 10).password == "\u00e9" * 10


def test_an_old_short_password_can_still_be_given():
    """Signing in asks only what could be a password of anybody."""
    assert SignIn.model_validate({"email": "a@b", "password": "x"}).scope is None
    with pytest.raises(ValidationError):
        SignIn.model_validate({"email": "a@b", "password": "x" * 1025})


def test_what_is_given_is_never_shown():
    """Neither a document's text nor its errors hold what was sent."""
    assert GOOD not in repr(sign_up())
    assert "example.org" not in repr(sign_up())
    with pytest.raises(ValidationError) as caught:
        sign_up(email="secret", password="hidden")
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_complaints_name_fields_and_reasons():
    """What is wrong is told field by field; a body that is no object has no field."""
    with pytest.raises(ValidationError) as caught:
        SignUp.model_validate_json('{"email": "a", "password": "short", "more": 1}')
    assert complaints(caught.value.errors()) == (
        "email: write an address of the form somebody@example.org; "
        "password: a password has at least 10 characters; "
        "more: Extra inputs are not permitted"
    )
    with pytest.raises(ValidationError) as caught:
        SignUp.model_validate_json("[]")
    assert complaints(caught.value.errors()).startswith("body: ")


@pytest.mark.parametrize(
    "password", ["1234567890", "qwertyuiop", "QwertyUIOP", "password123", "1q2w3e4r5t"]
)
def test_passwords_that_everybody_tries_first_are_refused(password):
    """In whatever case; the refusal does not repeat them."""
    with pytest.raises(ValidationError, match="among the most used") as caught:
        sign_up(password=password)
    assert password not in str(caught.value)


@pytest.mark.parametrize("password", ["Ann@example.org", "ANN@EXAMPLE.ORG", " ann@example.org "])
def test_the_address_is_no_password(password):
    """However it is written."""
    with pytest.raises(ValidationError, match="address cannot be the password"):
        sign_up(email="Ann@example.org", password=password)
