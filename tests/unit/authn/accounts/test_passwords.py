"""How passwords are kept and checked."""

from argon2 import PasswordHasher
from tests.unit.authn.accounts.people import CHEAP

from licet.authn.accounts.passwords import Passwords


def test_a_password_is_known_again():
    """The right password is told from another."""
    passwords = Passwords(CHEAP)
    kept = passwords.hash("correct horse")
    assert passwords.verify(kept, "correct horse")
    assert not passwords.verify(kept, "incorrect horse")


def test_the_default_is_argon2id_as_rfc_9106_has_it():
    """Without parameters: argon2id, 64 MiB, three passes, four lanes."""
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_salts_come_from_the_given_source():
    """The same salt gives the same hash; the source of salts is the caller's."""
    passwords = Passwords(CHEAP, random_bytes=bytes)
    assert passwords.hash("x") == passwords.hash("x") != Passwords(CHEAP).hash("x")


def test_the_decoy_is_checked_like_any_other():
    """It is of the same parameters, and no word that is common opens it."""
    passwords = Passwords(CHEAP)
    assert passwords.decoy.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert not passwords.verify(passwords.decoy, "password")
    assert passwords.decoy != Passwords(CHEAP).decoy


def test_a_damaged_hash_fits_nothing():
    """A text that is no hash is no open door and no crash."""
    assert not Passwords(CHEAP).verify("", "")


def test_other_parameters_are_outdated():
    """A hash made with other parameters is told."""
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert passwords.is_outdated(Passwords(CHEAP).hash("x"))
    assert not passwords.is_outdated(passwords.hash("x"))
