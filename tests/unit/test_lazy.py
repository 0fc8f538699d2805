"""Packages give their names without importing what nobody asked for."""

from __future__ import annotations

import ast
import importlib
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import licet

SOURCE = Path(licet.__file__).parent
LAZY = sorted(
    ".".join(("licet", *found.parent.relative_to(SOURCE).parts))
    for found in SOURCE.rglob("__init__.py")
    if "lazy_names(" in found.read_text("utf-8")
)
# What the parts of licet need, and `import licet` does not.
NEEDED = {
    "flask",
    "werkzeug",
    "sqlalchemy",
    "pydantic",
    "joserfc",
    "httpx2",
    "click",
    "cachetools",
    "stamina",
}
SELDOM = {
    "alembic",
    "argon2",
    "gunicorn",
    "jsonschema_rs",
    "limits",
    "pydantic",
    "rich",
    "stamina",
}


def python(program: str) -> str:
    """What a new process with this program printed."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(program: str) -> set[str]:
    """The names of all modules that are loaded at the end of the program."""
    return set(python(f"{program}\nimport sys\nprint(*sys.modules)").split())


def listed_in(package: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What the package's ``__init__`` tells type checkers, and what it tells `lazy_names`."""
    source = Path(importlib.import_module(package).__file__).read_text("utf-8")
    (choice,) = (node for node in ast.parse(source).body if isinstance(node, ast.If))
    assert ast.unparse(choice.test) == "TYPE_CHECKING"
    typed = {node.module: {alias.name for alias in node.names} for node in choice.body}
    (call,) = (node for node in ast.walk(choice.orelse[-1]) if isinstance(node, ast.Call))
    table = ast.literal_eval(call.args[1])
    return typed, {module: set(names.split()) for module, names in table.items()}


def test_which_packages_are_lazy():
    """Those whose names programs import, and the errors, which everything imports."""
    subjects = ("actions", "authn", "authz", "errors", "rest", "testing")
    assert ["licet", *(f"licet.{name}" for name in subjects)] == LAZY


@pytest.mark.parametrize("package", LAZY)
class TestNames:
    def test_type_checkers_and_the_interpreter_are_told_the_same(self, package: str):
        """The imports under TYPE_CHECKING, the table and ``__all__`` agree."""
        typed, table = listed_in(package)

        assert typed == table
        listed = set().union(*table.values())
        assert set(importlib.import_module(package).__all__) - {"__version__"} == listed

    def test_every_name_is_its_module_s(self, package: str):
        """What the package gives is the very object of the module that it names."""
        found = importlib.import_module(package)

        for module, names in listed_in(package)[1].items():
            for name in names:
                assert getattr(found, name) is getattr(importlib.import_module(module), name)

    def test_no_name_is_a_module_of_the_package(self, package: str):
        """Importing a module sets its name on the package, in the place of a lazy name."""
        found = importlib.import_module(package)

        assert not {each.name for each in pkgutil.iter_modules(found.__path__)} & set(found.__all__)

    def test_a_star_import_gives_everything(self, package: str):
        """``from licet.authz import *`` gives each name of ``__all__``."""
        given: dict[str, object] = {}
        exec(f"from {package} import *", given)

        assert set(importlib.import_module(package).__all__) <= set(given)

    def test_dir_lists_what_is_not_imported_yet(self, package: str):
        """``dir`` and completion in a shell know every name."""
        found = importlib.import_module(package)

        assert set(found.__all__) <= set(dir(found))

    def test_an_unknown_name_is_no_attribute(self, package: str):
        """A misspelt name is an error that says where it was looked for."""
        found = importlib.import_module(package)

        with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Licte'"):
            found.Licte  # noqa: B018
        with pytest.raises(ImportError, match="cannot import name 'Licte'"):
            exec(f"from {package} import Licte")


def test_subjects_are_attributes_of_licet():
    """``import licet`` is enough for ``licet.errors.UsageError``."""
    assert python("import licet; print(licet.errors.UsageError.__name__)") == "UsageError\n"


def test_objects_survive_a_pickle():
    """A lazy name does not change where pickle finds a class."""
    for found in (licet.Licet, licet.authz.VIEW, licet.authz.Policy):
        assert pickle.loads(pickle.dumps(found)) == found


def test_threads_may_ask_for_names_at_once():
    """Threads that ask for the first names at the same time get whole modules."""
    program = """
import importlib, threading
asked = ("licet Licet", "licet PUBLIC", "licet.authz Policy", "licet.authz requires_auth",
         "licet.actions ActionStore", "licet.authn JWTVerifier", "licet.testing verify_matrix")
whole, barrier = [], threading.Barrier(2 * len(asked))
def ask(package, name):
    barrier.wait()
    getattr(package, name)
    whole.append(name)
threads = [threading.Thread(target=ask, args=(importlib.import_module(p), n))
           for p, n in map(str.split, 2 * asked)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(whole))
"""
    assert python(program) == "14\n"


class TestWhatIsLoaded:
    def test_import_licet(self):
        """``import licet`` imports none of the libraries that licet is built on."""
        assert not loaded_by("import licet, licet.authn, licet.actions") & (NEEDED | SELDOM)

    def test_the_extension(self):
        """``from licet import Licet`` imports none of what few apps or few requests need."""
        loaded = loaded_by("from licet import Licet") - loaded_by("import httpx2")

        assert not loaded & (SELDOM | {"sqlalchemy.orm", "licet.authz.policies"})

    def test_the_client(self):
        """A program that only calls providers does not import what serves them."""
        loaded = loaded_by("import licet.actions.client") - loaded_by("import httpx2, stamina")

        assert not loaded & (NEEDED | SELDOM)
