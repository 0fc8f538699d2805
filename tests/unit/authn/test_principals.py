"""Principal URNs."""

import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.authn.identity import (
    GROUP_PREFIXES,
    group_principal,
    identity_principal,
    is_principal,
    names_a_group,
)

ID = "0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
FORMS = ("urn:globus:auth:identity:", "urn:globus:groups:id:", "urn:licet:identity:")
GROUP_NAMES = st.text(string.ascii_letters + string.digits + "._:@-", min_size=1, max_size=128)


@pytest.mark.parametrize("form", FORMS)
@given(id_=st.uuids(), upper=st.booleans())
def test_every_uuid_makes_a_principal(form, id_, upper):
    """The three UUID forms take every UUID, in either case."""
    assert is_principal(form + (str(id_).upper() if upper else str(id_)))


@given(GROUP_NAMES)
def test_every_group_name_makes_a_principal(name):
    """Our own groups have short names of plain characters."""
    assert is_principal(group_principal(name))


@given(st.text(min_size=1, max_size=255), st.text(min_size=1))
def test_a_foreign_group_is_one_issuers_own(name, issuer):
    """Its URN tells the issuer, and is no identity's."""
    urn = group_principal(name, issuer=issuer)
    assert is_principal(urn)
    assert urn != group_principal(name, issuer=issuer + "/")
    assert urn != group_principal(name)
    assert urn.rpartition(":")[2] != identity_principal(issuer, name).rpartition(":")[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "public",
        "all_authenticated_users",
        ID,
        f"urn:globus:auth:identity:{ID}\n",
        f" urn:globus:auth:identity:{ID}",
        f"URN:globus:auth:identity:{ID}",
        f"urn:globus:auth:identity:{ID}0",
        "urn:globus:auth:identity:",
        f"urn:globus:groups:{ID}",
        "urn:licet:identity:someone",
        "urn:licet:group:",
        "urn:licet:group:a b",
        "urn:licet:group:é",
        "urn:licet:group:" + "a" * 129,
        f"urn:licet:identity:{ID.replace('-', '')}",
    ],
)
def test_other_text_is_no_principal(text):
    """A principal is the whole text, spelt exactly."""
    assert not is_principal(text)


@given(st.text())
def test_any_text_can_be_asked_about(text):
    """Asking never fails, and only our known families are principals."""
    assert not is_principal(text) or text.startswith((*FORMS, *GROUP_PREFIXES))


@given(st.sampled_from(FORMS), st.uuids(), st.text(min_size=1))
def test_nothing_may_follow_a_uuid_or_come_before_the_scheme(form, id_, more):
    """Text around a principal spoils it."""
    assert not is_principal(f"{form}{id_}{more}")
    assert not is_principal(f"{more}{form}{id_}")


@pytest.mark.parametrize(
    ("principals", "expected"),
    [
        ([], False),
        (["public", f"{FORMS[0]}{ID}"], False),
        ([f"{FORMS[1]}{ID}"], True),
        (["public", "urn:licet:group:staff"], True),
    ],
)
def test_lists_that_name_a_group_are_known(principals, expected):
    """Whether a list names a group follows from its URNs alone."""
    assert names_a_group(iter(principals)) is expected


def test_our_own_subjects_stand_as_they_are():
    """A local account's URN holds its UUID."""
    assert identity_principal("i", ID, local_issuer="i") == f"urn:licet:identity:{ID}"


@given(st.text(), st.text())
def test_foreign_subjects_become_principals(issuer, subject):
    """Whatever a foreign issuer calls somebody, the URN is well-formed and hashed."""
    principal = identity_principal(issuer, subject)
    assert is_principal(principal)
    assert principal == identity_principal(issuer, subject, local_issuer=issuer + "x")


@given(st.uuids())
def test_no_foreign_issuer_can_name_one_of_our_people(id_):
    """A foreign subject that is one of our UUIDs is somebody else."""
    ours = identity_principal("https://us.example", str(id_), local_issuer="https://us.example")
    theirs = identity_principal("https://them.example", str(id_), local_issuer="https://us.example")
    assert ours != theirs


def test_two_issuers_subjects_differ():
    """The same subject at two foreign issuers is two principals."""
    subject = str(uuid.UUID(int=1))
    assert identity_principal("https://a", subject) != identity_principal("https://b", subject)
