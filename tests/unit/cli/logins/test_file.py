"""The file of sign-ins: nobody else's, never half written, and used by one at a time."""

import fcntl
import os
import threading

import pytest

from licet.cli.logins.file import Kind, Login, LoginsFile
from licet.errors import UsageError


def a_login(**changes):
    known = {
        "kind": Kind.ACCOUNT,
        "issuer": "https://a.example",
        "resource": "https://a.example",
        "who": "ann@example.org",
        "scope": "read",
        "token_endpoint": "https://a.example/auth/refresh",
        "revocation_endpoint": None,
        "access_token": "the-access-token",
        "renew_at": 1.5,
        "refresh_token": "the-refresh-token",
    }
    return Login(**known | changes)


@pytest.fixture
def file(tmp_path):
    return LoginsFile(tmp_path / "licet")


def test_what_is_put_is_read(file):
    """Newest first, one for each issuer and service; removing twice is removing once."""
    one, other = a_login(), a_login(resource="https://b.example")
    newer = a_login(scope="write")
    with file.exclusive():
        for each in (one, other, newer):
            file.put(each)
    assert LoginsFile(file._folder).read() == (newer, other)
    with file.exclusive():
        file.remove(one.key)
        file.remove(one.key)
    assert file.read() == (other,)


def test_no_token_is_in_a_repr():
    """Whatever prints a sign-in prints no secret."""
    assert "-token" not in repr(a_login()).replace("token_endpoint", "")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_use_is_refused(file, mode):
    """They may have read the tokens, or put in their own."""
    with file.exclusive():
        file.put(a_login())
    file._path.chmod(mode)
    with pytest.raises(UsageError, match="others may read or change it"):
        file.read()


@pytest.mark.parametrize("text", ["", "{", '{"version": 2, "logins": []}', '{"logins": [{}]}'])
def test_a_damaged_file_is_told(file, text):
    """What stands in it is not."""
    with file.exclusive():
        file.put(a_login())
    file._path.write_text(text)
    with pytest.raises(UsageError, match="is damaged: delete it"):
        file.read()


def test_a_folder_that_others_may_use_is_closed(file):
    """The folder is the owner's alone from the first use on."""
    file._folder.mkdir(mode=0o755)
    with file.exclusive():
        pass
    assert file._folder.stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_used_is_told(file, tmp_path):
    """A file in place of the folder, or a folder in place of the file."""
    (tmp_path / "taken").write_text("")
    with (
        pytest.raises(UsageError, match="cannot be used"),
        LoginsFile(tmp_path / "taken").exclusive(),
    ):
        pass
    file._path.mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be read"):
        file.read()
    with pytest.raises(UsageError, match="cannot be written"):
        file._write(())
    assert [one.name for one in file._folder.iterdir()] == ["logins.json"]


def test_one_at_a_time(file):
    """Whoever comes second waits until the first is done."""
    order, inside = [], threading.Event()

    def second():
        inside.wait(10)
        with LoginsFile(file._folder).exclusive():
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with file.exclusive():
        inside.set()
        thread.join(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_waiting_has_an_end(file):
    """A process that holds on forever does not stop all others."""
    moments = iter([0.0, 10.0, 31.0])
    waiting = LoginsFile(file._folder, monotonic=lambda: next(moments), sleep=lambda _s: None)
    too_long = pytest.raises(UsageError, match="for longer than 30 s")
    with file.exclusive(), too_long, waiting.exclusive():
        pass
    descriptor = os.open(file._folder / "logins.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds it any more
    os.close(descriptor)
