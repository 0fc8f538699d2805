"""Misspelt fields and options are refused, and the right name is told."""

import ast
import dataclasses
import inspect
import pickle
import re
from datetime import timedelta
from pathlib import Path

import pydantic
import pytest
from flask import Flask
from pydantic import AliasChoices, AliasPath, Field, ValidationError
from tests.unit.actions.making import ALICE

import licet
from licet.actions import (
    ActionLogReturn,
    ActionProviderBlueprint,
    ActionProviderConfig,
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    Retry,
)
from licet.actions.client import ActionClient
from licet.authn import IntrospectionVerifier, JWTVerifier
from licet.authz import (
    PUBLIC,
    VIEW,
    Allows,
    ConditionalRequirement,
    Permission,
    Policy,
    Role,
    declare,
    guard_entire,
    guarded_by,
    predicate,
    register_policies,
    requires,
    requires_auth,
    with_object,
)
from licet.compat.globus_action_provider_tools.data_types import (
    ActionProviderDescription as PortedDescription,
)
from licet.errors import ConfigurationError, UnknownName
from licet.errors.names import (
    closest,
    knows_its_options,
    refuse_unknown,
    suggestion,
    with_article,
)
from licet.testing import MatrixCases

WRITTEN = {
    "globus_auth_scope": "https://x.example/s",
    "title": "T",
    "admin_contact": "a@x.example",
    "synchronous": False,
    "input_schema": {"type": "object"},
}
DESCRIPTION = ActionProviderDescription(**WRITTEN)
ONLY = ["urn:globus:groups:id:00000000-0000-0000-0000-000000000000"]
STATUS = {"status": "ACTIVE", "creator_id": ALICE, "details": {}}


class TestDescriptions:
    @pytest.mark.parametrize("kind", [ActionProviderDescription, PortedDescription])
    def test_a_misspelt_field_is_refused(self, kind):
        """Else a provider for one group is open to everybody."""
        with pytest.raises(UnknownName, match="no field 'runable_by': did you mean 'runnable_by'"):
            kind(**WRITTEN, runable_by=ONLY)

    def test_all_misspelt_fields_are_told_at_once(self):
        """With the one that was meant by each."""
        with pytest.raises(UnknownName) as caught:
            ActionProviderDescription(**WRITTEN, runable_by=ONLY, visble_to=ONLY)
        assert caught.value.names == ("runable_by", "visble_to")
        assert "'visible_to'" in str(caught.value)
        assert ONLY[0] not in str(caught.value)

    @pytest.mark.parametrize("error", [ConfigurationError, ValueError, TypeError])
    def test_it_is_caught_as_what_it_is(self, error):
        """A mistake of the program's, as Python and pydantic call it."""
        with pytest.raises(error):
            ActionProviderDescription(**WRITTEN, runable_by=ONLY)

    def test_a_description_from_a_file_is_checked_as_well(self):
        """It may be the program's own."""
        with pytest.raises(ValidationError, match="did you mean 'runnable_by'"):
            ActionProviderDescription.model_validate(WRITTEN | {"runable_by": ONLY})

    @pytest.mark.skipif(
        tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 12),
        reason="pydantic takes no `extra` yet",
    )
    def test_another_providers_description_may_have_more_fields(self):
        """Who reads one says so."""
        document = WRITTEN | {"principal_urn": "x", "runnable_by": ONLY}
        found = ActionProviderDescription.model_validate(document, extra="ignore")
        assert found.runnable_by == ONLY
        assert not hasattr(found, "principal_urn")

    def test_other_errors_stay_pydantics(self):
        """A field that is missing, or of another type."""
        with pytest.raises(ValidationError, match="title"):
            ActionProviderDescription.model_validate({**WRITTEN, "title": None})
        with pytest.raises(ValidationError, match="Field required"):
            ActionProviderDescription(title="T")

    def test_a_changed_copy_is_checked(self):
        """Pydantic would keep the value, and use the old one."""
        with pytest.raises(UnknownName, match="did you mean 'runnable_by'"):
            DESCRIPTION.model_copy(update={"runable_by": ONLY})
        assert DESCRIPTION.model_copy(update={"runnable_by": ONLY}).runnable_by == ONLY

    def test_what_is_not_looked_at_has_names_that_are(self):
        """Values that skip pydantic's checks are still of fields."""
        with pytest.raises(UnknownName, match="did you mean 'runnable_by'"):
            ActionProviderDescription.model_construct(**WRITTEN, runable_by=ONLY)
        found = ActionProviderDescription.model_construct(**WRITTEN, runnable_by=ONLY)
        assert found.runnable_by == ONLY

    def test_a_subclass_may_have_aliases(self):
        """Of every kind that pydantic has."""

        class Mine(ActionProviderDescription):
            room: str = Field("1", alias="place")
            floor: str = Field("0", validation_alias=AliasChoices("level", AliasPath("levels", 0)))

        assert Mine(**WRITTEN, place="2").room == "2"
        assert Mine(**WRITTEN, level="2").floor == "2"
        assert Mine(**WRITTEN, levels=["3"]).floor == "3"
        with pytest.raises(UnknownName, match="did you mean 'place'"):
            Mine(**WRITTEN, plac="2")

    def test_a_subclass_may_be_open(self):
        """Where that is said."""

        class Mine(ActionProviderDescription, extra="allow"):
            pass

        assert Mine(**WRITTEN, anything=1).model_extra == {"anything": 1}

    def test_no_other_attribute_is_set(self):
        """Later neither."""
        with pytest.raises(ValueError, match="runable_by"):
            DESCRIPTION.runable_by = ONLY

    def test_a_subclass_has_its_own_fields(self):
        """And its own constructor, if it likes."""

        class Mine(ActionProviderDescription):
            room: str = "1"

            def __init__(self, place: str, **fields):
                super().__init__(room=place, **fields)

        assert Mine("2", **WRITTEN).room == "2"
        assert Mine.model_validate(WRITTEN | {"place": "3"}).room == "3"
        with pytest.raises(UnknownName, match="Mine has no field 'rom': did you mean 'room'"):
            Mine("2", **WRITTEN, rom="3")

    def test_copies_and_pickles(self):
        """A description is a record like any other."""
        assert pickle.loads(pickle.dumps(DESCRIPTION)) == DESCRIPTION == DESCRIPTION.model_copy()


class TestDocuments:
    @pytest.mark.parametrize(
        ("kind", "fields", "wrong", "meant"),
        [
            (ActionStatus, STATUS, {"monitored_by": {ALICE}}, "monitor_by"),
            (ActionStatus, STATUS, {"relase_after": timedelta(1)}, "release_after"),
            (ActionRequest, {"request_id": "r", "body": {}}, {"labll": "x"}, "label"),
        ],
    )
    def test_a_program_misspells_no_field(self, kind, fields, wrong, meant):
        """A document that a program writes has the fields that there are."""
        with pytest.raises(UnknownName, match=f"did you mean {meant!r}.*model_validate"):
            kind(**fields, **wrong)

    def test_what_is_read_may_have_more(self):
        """Clients send ``tags``, and stored documents may have been written by another version."""
        assert ActionStatus.model_validate(STATUS | {"cursor": 1}).status == "ACTIVE"
        assert (
            ActionStatus.model_validate_json(
                f'{{"status": "ACTIVE", "x": 1, "details": {{}}, "creator_id": "{ALICE}"}}'
            ).details
            == {}
        )
        read = {"request_id": "r", "body": {}, "tags": ["x"]}
        assert ActionRequest.model_validate(read).request_id == "r"

    def test_open_documents_stay_open(self):
        """A page of a log is sent with whatever a provider adds to it."""
        assert ActionLogReturn(code="x", time="now").model_extra == {"code": "x", "time": "now"}


def no_view():
    """Nothing."""


APP = Flask("x")
BLUEPRINT = ActionProviderBlueprint("b", __name__, provider_description=DESCRIPTION)
CLIENT = ActionClient("http://localhost:9", sleep=lambda _s: None)
ALLOWS = Allows()
POLICY = Policy(type("Thing", (), {}))
JWT = {"issuer": "https://i.example", "audience": "a", "algorithms": ["ES256"]}


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: BLUEPRINT.durable(max_atempts=3), "max_attempts"),
        (lambda: BLUEPRINT.durable(retries=Retry()), "retry"),
        (lambda: Retry(wait_second=3), "wait_seconds"),
        (lambda: ActionProviderConfig(scrub_validation_error=False), "scrub_validation_errors"),
        (
            lambda: ActionProviderBlueprint(
                "b", __name__, provider_description=DESCRIPTION, action_repositry=None
            ),
            "action_repository",
        ),
        (
            lambda: ActionProviderBlueprint(
                "b", __name__, provider_description=DESCRIPTION, url_prefx="/b"
            ),
            "url_prefix",
        ),
        (
            lambda: ActionProviderBlueprint(
                "b", __name__, provider_description=DESCRIPTION, static_foldr="/b"
            ),
            "static_folder",
        ),
        (lambda: requires(no_view, identiti=1), "identity"),
        (lambda: requires(no_view, on_fial=1), "on_fail"),
        (lambda: ALLOWS.requires(no_view, throw=ValueError), "throws"),
        (lambda: Allows(identity_loder=no_view), "identity_loader"),
        (lambda: Permission(no_view, onfail=1), "on_fail"),
        (lambda: guard_entire([no_view], trows=1), "throws"),
        (lambda: requires_auth("x", alowed_roles=["admin"]), "allowed_roles"),
        (lambda: requires_auth("x", allow_unregisterd=True), "allow_unregistered"),
        (lambda: with_object(POLICY, VIEW, ky="x"), "key"),
        (lambda: guarded_by(poliicy=POLICY, verb=VIEW), "policy"),
        (lambda: register_policies(APP, sessionn=no_view), "session"),
        (lambda: declare(APP, axcess=PUBLIC), "access"),
        (lambda: POLICY.allow(1, VIEW, wen=None), "when"),
        (lambda: Policy(Flask, naem="x"), "name"),
        (lambda: Role("x", cnditon=None), "condition"),
        (lambda: predicate(no_view, footnot="x"), "footnote"),
        (lambda: ConditionalRequirement(no_view, untl=True), "until"),
        (lambda: POLICY.hide("a", unlesss=None), "unless"),
        (lambda: CLIENT.run({}, labll="x"), "label"),
        (lambda: CLIENT.run({}, releaseafter="P1D"), "release_after"),
        (lambda: CLIENT.log("id", limitt=3), "limit"),
        (lambda: next(CLIENT.log_entries("id", untl="2030-01-01T00:00:00Z")), "until"),
        (lambda: JWTVerifier(**JWT, email_is_kee=True), "email_is_key"),
        (lambda: IntrospectionVerifier("", "", "", isuer=""), "issuer"),
        (lambda: MatrixCases(polic=POLICY), "policy"),
    ],
)
def test_a_misspelt_option_is_refused(call, meant):
    """Wherever a program configures licet by keywords."""
    with pytest.raises(UnknownName, match=f"did you mean {meant!r}"):
        call()


@pytest.mark.parametrize(
    "function", [BLUEPRINT.durable, requires, requires_auth, CLIENT.run, Retry, JWTVerifier]
)
def test_signatures_stay_what_they_are(function):
    """Tools see the names, and no ``**kwargs``."""
    kinds = {one.kind for one in inspect.signature(function).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert function.__doc__


def test_a_record_stays_a_record():
    """It is compared, shown and replaced as before."""
    retry = Retry(wait_seconds=3)
    assert dataclasses.replace(retry, factor=4).wait_seconds == 3
    assert retry == Retry(wait_seconds=3, jitter=retry.jitter)
    with pytest.raises(dataclasses.FrozenInstanceError):
        retry.factor = 5
    with pytest.raises(UnknownName, match="did you mean 'factor'"):
        dataclasses.replace(retry, facter=4)


def test_where_a_policy_is_declared_is_the_programs_line():
    """Not the line that looked at its options."""
    with pytest.raises(TypeError, match=r"test_names\.py:\d+"):
        POLICY.allow("nobody", VIEW)


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("a", [], "there is none."),
        ("zzz", ["b", "a"], "there is a, b."),
        (
            "zzz",
            map("n{:02}".format, range(13)),
            f"there is {', '.join(f'n{i:02}' for i in range(12))}, ….",
        ),
        ("ISSUER", ["issuer", "user"], "did you mean 'issuer'?"),
        ("on", ["On", "off"], "did you mean 'On'?"),
    ],
)
def test_what_is_said_of_a_name(name, known, told):
    """The nearest name; else those that there are, as far as they fit in a line."""
    assert suggestion(name, list(known)) == told


def test_the_nearest_name_is_always_the_same():
    """Whatever order the names come in."""
    known = ["ab", "ac", "ad"]
    assert len({closest("aa", order) for order in (known, known[::-1], set(known))}) == 1


def test_known_names_pass():
    """None, one, all."""
    refuse_unknown("x", [], [])
    refuse_unknown("x", ["a", "b"], {"a", "b", "c"})


def test_a_function_takes_what_it_took():
    """Positional arguments, keywords, defaults, methods; and its own errors are its own."""

    @knows_its_options
    def function(a, /, b, *rest, c=3, d):
        return a, b, rest, c, d

    assert function(1, 2, 5, d=4) == (1, 2, (5,), 3, 4)
    assert function(1, b=2, c=0, d=4) == (1, 2, (), 0, 4)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'd'"):
        function(1, 2)
    with pytest.raises(UnknownName, match="no option 'a'"):
        function(1, 2, a=1, d=4)


def test_the_error_is_pickled():
    """As it is when a test or an action runs in another process."""
    error = pickle.loads(pickle.dumps(UnknownName("text", ["a"])))
    assert str(error) == "text"


@pytest.mark.parametrize(
    ("noun", "told"),
    [
        ("int", "an int"),
        ("str", "a str"),
        ("Event", "an Event"),
        ("authorization_endpoint", "an authorization_endpoint"),
        ("User", "a User"),
        ("UUID", "a UUID"),
        ("Uuid", "a Uuid"),
        ("UnionType", "a UnionType"),
        ("Update", "an Update"),
        ("", "a "),
    ],
)
def test_a_noun_has_its_article(noun, told):
    """By its sound, as far as its letters tell it."""
    assert with_article(noun) == told


SOURCES = sorted((Path(licet.__file__).parent).rglob("*.py"))


def test_no_message_puts_an_article_before_a_name_by_itself():
    """The name in braces may begin with a vowel: `with_article` knows."""
    written = re.compile(r"\b(?:a|an) \{")
    found = [
        f"{path.name}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text("utf-8").splitlines()
        if written.search(line)
    ]
    assert found == []


def test_no_message_names_a_file_that_only_a_clone_has():
    """Who installed licet with pip reads the docs at their address."""
    found = [
        f"{path.name}:{constant.lineno} {constant.value}"
        for path in SOURCES
        for constant in _texts(ast.parse(path.read_text("utf-8")))
        if re.search(r"(?<!/main/)\bdocs/", constant.value)
    ]
    assert found == []


def _texts(tree):
    """The texts of a module that are no docstrings."""
    docs = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs:
            yield node
