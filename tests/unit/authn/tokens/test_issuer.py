"""The embedded issuer: its key file and its tokens."""

import json
import re
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from tests.ids import shown
from tests.processes import in_processes, meet
from tests.unit.authn.made_tokens import AUDIENCE, ISSUER, NOW, Clock

from licet.authn import EmbeddedIssuer, JWTVerifier
from licet.authn.tokens.issuer import KEY_FILE, subject_of
from licet.errors import ConfigurationError, InvalidToken


def issuer(folder, clock=None, **options):
    """An issuer whose keys are in this folder."""
    return EmbeddedIssuer(
        issuer=ISSUER, audience=AUDIENCE, folder=folder, clock=clock or Clock(), **options
    )


def verifier(keys, clock=None):
    """The verifier that an app has for its own issuer's tokens."""
    return JWTVerifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=frozenset({"ES256"}),
        keys=keys,
        local_issuer=ISSUER,
        clock=clock or Clock(),
    )


def key_id(made):
    """The id of an issuer's key."""
    return made.jwks()["keys"][0]["kid"]


def claims_of(token):
    """What a token says, unverified."""
    return json.loads(jws.extract_compact(token.encode()).payload)


def test_a_token_passes_the_verifier(tmp_path):
    """Local tokens go through the verifier that foreign ones do."""
    local = issuer(tmp_path)
    identity = verifier(local).verify(local.mint("ann", ["read", "write"], groups=["staff"]))
    assert identity.subject == subject_of("ann")
    assert identity.principal == f"urn:licet:identity:{subject_of('ann')}"
    assert identity.scopes == {"read", "write"}
    assert identity.groups == {"urn:licet:group:staff"}


def test_a_token_has_the_claims_of_rfc_9068(tmp_path):
    """Issuer, audience, times, id, client and scope are all there."""
    claims = claims_of(issuer(tmp_path).mint("ann", ["b", "a", "b"]))
    assert re.fullmatch(r"[0-9a-f]{32}", claims.pop("jti"))
    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject_of("ann"),
        "iat": NOW,
        "exp": NOW + 900,
        "client_id": "licet",
        "preferred_username": "ann",
        "scope": "b a",
    }


@pytest.mark.parametrize(
    ("of_issuer", "of_token", "expected"), [(900, None, 900), (60, None, 60), (60, 5, 5)]
)
def test_a_token_lives_as_long_as_told(tmp_path, of_issuer, of_token, expected):
    """The token's own lifetime wins over the issuer's."""
    minted = issuer(tmp_path, ttl_seconds=of_issuer).mint("ann", ["a"], ttl_seconds=of_token)
    assert claims_of(minted)["exp"] == NOW + expected


def test_an_expired_token_is_refused(tmp_path):
    """A lifetime that is over is over."""
    local, clock = issuer(tmp_path), Clock(NOW + 900)
    with pytest.raises(InvalidToken, match="expired"):
        verifier(local, clock).verify(local.mint("ann", ["a"]))


def test_two_tokens_differ(tmp_path):
    """Each token has an id of its own."""
    local = issuer(tmp_path)
    assert local.mint("ann", ["a"]) != local.mint("ann", ["a"])


def test_another_installations_token_is_refused(tmp_path):
    """Two installations of the same name have different keys."""
    ours, theirs = issuer(tmp_path / "ours"), issuer(tmp_path / "theirs")
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier(ours).verify(theirs.mint("ann", ["a"]))


USER_NAMES = st.from_regex(r"[A-Za-z0-9._@+-]{1,128}", fullmatch=True)


@given(USER_NAMES)
def test_every_user_name_has_a_uuid_whatever_its_case(name):
    """A subject is a UUID, the same for every spelling of the name."""
    assert str(uuid.UUID(subject_of(name))) == subject_of(name.swapcase())


def test_subjects_never_change():
    """The UUID of a name is the same on every machine and in every release."""
    assert subject_of("ann") == str(
        uuid.uuid5(uuid.UUID("0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"), "ann")
    )


@pytest.mark.parametrize("name", ["", "a" * 129, "a b", "ann\n", "é", "a/b", "a\0", '"', "\u212a"])
def test_other_user_names_are_refused(tmp_path, name):
    """A name with other characters makes no token."""
    with pytest.raises(ConfigurationError, match="user name"):
        issuer(tmp_path).mint(name, ["a"])


@pytest.mark.parametrize("scope", ["", "a b", 'a"b', "a\\b", "a\n", "é", "\x7f", "a\tb"])
def test_other_scopes_are_refused(tmp_path, scope):
    """A scope that would be two, or break the header, makes no token."""
    with pytest.raises(ConfigurationError, match="scope"):
        issuer(tmp_path).mint("ann", ["fine", scope])


@pytest.mark.parametrize("scope", ["a", "https://auth.example/scopes/x/all", "urn:a:b", "!#[]~"])
def test_scopes_of_rfc_6749_are_taken(tmp_path, scope):
    """URLs and URNs are scopes."""
    assert claims_of(issuer(tmp_path).mint("ann", [scope]))["scope"] == scope


def test_the_key_file_is_the_owners_alone(tmp_path):
    """The file has mode 0600 and its new folder 0700, and no draft is left."""
    folder = tmp_path / "new" / "instance"
    issuer(folder)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_a_restart_keeps_the_key(tmp_path):
    """Tokens outlive the process that made them."""
    minted = issuer(tmp_path).mint("ann", ["a"])
    assert verifier(issuer(tmp_path)).verify(minted).subject == subject_of("ann")


def test_threads_that_start_at_once_have_one_key(tmp_path):
    """However many ask first, one key is made."""
    barrier = Barrier(8)

    def start(_number):
        barrier.wait()
        return key_id(issuer(tmp_path))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def begun(folder):
    """The id of the key that an issuer has which begins in this process."""
    meet()
    return key_id(issuer(folder))


def test_processes_that_start_at_once_have_one_key(tmp_path):
    """So it is for processes."""
    answers = in_processes(begun, *[(tmp_path,)] * 4)
    assert set(answers) == {key_id(issuer(tmp_path))}


def test_of_two_keys_the_first_wins(tmp_path, monkeypatch):
    """A process that finds the file made meanwhile throws its own key away."""
    first = key_id(issuer(tmp_path))
    monkeypatch.setattr("pathlib.Path.exists", lambda _path: False)
    assert key_id(issuer(tmp_path)) == first
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def keys(*listed):
    """A key file with these keys."""
    return json.dumps({"keys": list(listed)}).encode()


P256 = ECKey.generate_key("P-256", auto_kid=True)
P384 = ECKey.generate_key("P-384", auto_kid=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"5",
        b"[]",
        b"{}",
        b"[" * 100000,
        keys(),
        keys(5),
        keys({}),
        b'{"keys": 5}',
        keys({"kty": "EC"}),
        keys({"kty": "none"}),
        keys(P256.as_dict(private=False)),
        keys(P384.as_dict(private=True)),
        keys(RSAKey.generate_key(2048).as_dict(private=True)),
        keys({**P256.as_dict(private=True), "d": "AA"})[:-20],
    ],
    ids=shown,
)
def test_a_damaged_key_file_is_told_at_start(tmp_path, content):
    """A file that holds no key to sign with is an error that names it, and is left as it is."""
    path = tmp_path / KEY_FILE
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{KEY_FILE} are damaged"):
        issuer(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content


@pytest.mark.parametrize("below", ["", "deeper"])
def test_an_unwritable_folder_is_told_at_start(tmp_path, below):
    """A folder that cannot be is an error that names the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="LICET_INSTANCE_PATH"):
        issuer(tmp_path / "file" / below)


def test_a_failed_write_leaves_no_draft(tmp_path, monkeypatch):
    """A disk that is full leaves neither a key nor part of one."""

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        issuer(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_published_keys_have_no_secret(tmp_path):
    """What is published is the public half of what is stored."""
    local = issuer(tmp_path)
    published = local.jwks()["keys"]
    stored = json.loads((tmp_path / KEY_FILE).read_text())["keys"]
    public = [{name: value for name, value in key.items() if name != "d"} for key in stored]
    assert published == public
    assert all("d" in key for key in stored)


def test_keys_are_found_by_id(tmp_path):
    """The issuer is its verifier's key source."""
    local = issuer(tmp_path)
    assert local.key(key_id(local)).kid == key_id(local)
    assert local.key("other") is None


def test_metadata_name_issuer_and_keys(tmp_path):
    """The discovery document says where the keys are and how tokens are signed."""
    metadata = issuer(tmp_path).discovery()
    assert metadata["issuer"] == ISSUER
    assert metadata["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert metadata["id_token_signing_alg_values_supported"] == ["ES256"]
