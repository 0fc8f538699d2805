"""The key file: rotation, and how running processes notice."""

import json
import logging
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.processes import in_processes
from tests.unit.authn.made_tokens import AUDIENCE, ISSUER, NOW, Clock
from tests.unit.authn.tokens.test_issuer import issuer, key_id, verifier

from licet.authn import EmbeddedIssuer
from licet.authn.tokens.key_file import KEEP_SECONDS, KEY_FILE, KeyFile
from licet.errors import ConfigurationError, InvalidToken


def test_a_rotation_signs_with_a_new_key(tmp_path):
    """The new key signs; tokens of the old one stay good; only public halves of it are kept."""
    local = issuer(tmp_path)
    before, old = local.mint("ann", ["a"]), key_id(local)
    local.rotate()
    after = local.mint("ann", ["a"])
    assert key_id(local) != old
    for token in (before, after):
        assert verifier(local).verify(token).scopes == {"a"}
    stored = json.loads((tmp_path / KEY_FILE).read_text())["keys"]
    assert ["d" in key for key in stored] == [True, True, False]
    kids = [key["kid"] for key in local.jwks()["keys"]]
    assert (len(kids), kids[0], kids[2]) == (3, key_id(local), old)


def test_old_keys_go_when_their_tokens_have(tmp_path):
    """A day and a minute after the rotation the old key is neither published nor accepted."""
    clock = Clock()
    local = issuer(tmp_path, clock)
    token = local.mint("ann", ["a"], ttl_seconds=10 * KEEP_SECONDS)
    local.rotate()
    clock.now = NOW + KEEP_SECONDS - 1
    assert verifier(local, clock).verify(token)
    clock.now = NOW + KEEP_SECONDS
    assert len(local.jwks()["keys"]) == 2
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier(local, clock).verify(token)
    local.rotate()
    assert len(json.loads((tmp_path / KEY_FILE).read_text())["keys"]) == 3


def test_a_key_keeps_the_moment_it_was_replaced(tmp_path):
    """Rotating again does not prolong what was replaced before."""
    clock = Clock()
    local = issuer(tmp_path, clock)
    local.rotate()
    clock.now += KEEP_SECONDS // 2
    local.rotate()
    assert len(local.jwks()["keys"]) == 4
    clock.now += KEEP_SECONDS // 2
    assert len(local.jwks()["keys"]) == 3


def rotate(folder):
    """Rotate the keys in this process."""
    KeyFile(folder / KEY_FILE).rotate()


def test_a_running_process_notices_at_its_next_token(tmp_path):
    """What another process rotated is used and accepted without a restart."""
    running = issuer(tmp_path, time.time)
    old = key_id(running)
    in_processes(rotate, (tmp_path,))
    assert running.mint("ann", ["a"])
    assert key_id(running) != old
    assert running.key(old) is not None
    token = issuer(tmp_path, time.time).mint("ann", ["a"])
    assert verifier(running, time.time).verify(token)


def test_threads_that_rotate_at_once_lose_no_key(tmp_path):
    """Rotations take turns: every key that signed is still accepted."""
    local, barrier = issuer(tmp_path), Barrier(4)
    tokens = [local.mint("ann", ["a"])]

    def rotate(_number):
        barrier.wait(10)
        KeyFile(tmp_path / KEY_FILE, clock=Clock()).rotate()
        return issuer(tmp_path).mint("ann", ["a"])

    with ThreadPoolExecutor(4) as pool:
        tokens += pool.map(rotate, range(4))
    assert len(local.jwks()["keys"]) == 6
    for token in tokens:
        assert verifier(local).verify(token)


def test_the_new_file_is_the_owners_alone(tmp_path):
    """Mode 0600, and no draft is left."""
    issuer(tmp_path).rotate()
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_file_that_is_damaged_later_is_told_once(tmp_path, caplog):
    """The keys in use stay in use, and the log says so once for each damage."""
    local = issuer(tmp_path)
    token = local.mint("ann", ["a"])
    (tmp_path / KEY_FILE).write_text("{")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert verifier(local).verify(token)
    assert len(caplog.messages) == 1
    assert "stay in use" in caplog.text


def test_a_file_that_vanishes_is_not_made_anew(tmp_path):
    """A running process goes on with what it has."""
    local = issuer(tmp_path)
    token = local.mint("ann", ["a"])
    (tmp_path / KEY_FILE).unlink()
    assert verifier(local).verify(token)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    """What was read may be half of each, so it is not taken for the new one."""
    local = issuer(tmp_path)
    first = key_id(local)
    stats = iter([(1, 1, 1), (2, 2, 2), (3, 3, 3)])
    with monkeypatch.context() as patch:
        patch.setattr("licet.authn.tokens.key_file._signature", lambda _path: next(stats))
        local._key_file.current()
    assert local._key_file._loaded.signature is None
    issuer(tmp_path).rotate()
    assert key_id(local) != first


def test_a_thread_that_waited_does_not_read_again(tmp_path, monkeypatch):
    """Whoever comes second finds the file read."""
    local = issuer(tmp_path)._key_file
    monkeypatch.setattr("licet.authn.tokens.key_file._load_or_make", None)
    local._reload(local._loaded.signature)


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.replace"])
def test_a_rotation_that_fails_changes_nothing(tmp_path, monkeypatch, fails):
    """A disk that is full leaves the old keys in place."""
    local = issuer(tmp_path)
    before = (tmp_path / KEY_FILE).read_bytes()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fails, full)
        with pytest.raises(ConfigurationError, match="No space left"):
            local.rotate()
    assert (tmp_path / KEY_FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("retired", [5, {"a": "soon"}, []])
def test_damaged_times_are_told_at_start(tmp_path, retired):
    """When the times of replacement cannot be read, the file is damaged."""
    issuer(tmp_path)
    path = tmp_path / KEY_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "retired": retired}))
    with pytest.raises(ConfigurationError, match="damaged"):
        issuer(tmp_path)


def test_looking_at_the_file_is_cheap(tmp_path):
    """A key that is asked for opens no file when nothing has changed."""
    local = issuer(tmp_path)
    path = tmp_path / KEY_FILE
    accessed = path.stat().st_atime_ns
    os.utime(path, ns=(accessed - 10**9, path.stat().st_mtime_ns))
    loaded = local._key_file._loaded
    local.key("x")
    assert local._key_file._loaded is loaded


def test_a_key_is_published_before_it_signs(tmp_path):
    """Other services know it by then, however long they keep what they fetched."""
    local = issuer(tmp_path)
    for _ in range(3):
        published = [key["kid"] for key in local.jwks()["keys"]]
        local.rotate()
        assert key_id(local) == published[1]
        assert verifier(local).verify(local.mint("ann", ["a"]))


def test_a_file_without_a_next_key_gets_one(tmp_path):
    """As of a version before: its key stays good, and from then on there is a next one."""
    local = issuer(tmp_path)
    path, old = tmp_path / KEY_FILE, key_id(local)
    path.write_text(json.dumps({"keys": json.loads(path.read_text())["keys"][:1]}))
    token = local.mint("ann", ["a"])
    local.rotate()
    kids = [key["kid"] for key in local.jwks()["keys"]]
    assert len(set(kids)) == 3
    assert kids[2] == old
    assert verifier(local).verify(token)


def test_keys_that_leaked_are_revoked(tmp_path):
    """Neither the key that signed nor the next one is good, in running processes too."""
    local = issuer(tmp_path)
    token = local.mint("ann", ["a"])
    stored = json.loads((tmp_path / KEY_FILE).read_text())["keys"]
    KeyFile(tmp_path / KEY_FILE).rotate(revoke=True)
    published = {key["kid"] for key in local.jwks()["keys"]}
    assert published.isdisjoint({key["kid"] for key in stored})
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier(local).verify(token)
    assert verifier(local).verify(local.mint("ann", ["a"]))


def test_a_key_outlives_the_longest_token(tmp_path):
    """Where tokens are good for two days, so is the key that was replaced, and a minute more."""
    clock = Clock()
    local = EmbeddedIssuer(
        issuer=ISSUER, audience=AUDIENCE, folder=tmp_path, clock=clock, ttl_seconds=172_800
    )
    token = local.mint("ann", ["a"])
    local.rotate()
    clock.now = NOW + 172_799
    assert verifier(local, clock).verify(token)
    clock.now = NOW + 172_860
    assert len(local.jwks()["keys"]) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_keys_that_others_can_read_are_refused(tmp_path, mode):
    """The refusal names the command that mends it."""
    issuer(tmp_path)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"mode {mode:04o}\): run chmod 600 {path}"):
        issuer(tmp_path)
    path.chmod(0o600)
    assert issuer(tmp_path).mint("ann", ["a"])
