"""npm's `oidc-provider` as the foreign provider, started and stopped by the tests.

`make tests/oidc/node_modules` installs it as locked. Where it or Node is missing, the tests that
need it are skipped with the reason; under CI they fail.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
from joserfc.jwk import ECKey, Key
from tests.counts import unavailable

HERE = Path(__file__).parent
RESOURCE = "https://service.example"


def require_node() -> None:
    """Skip the test, or fail it under CI, when the provider cannot be started."""
    missing = []
    if shutil.which("node") is None:
        missing.append("node is not installed")
    if not (HERE / "node_modules" / "oidc-provider").is_dir():
        missing.append("run: make tests/oidc/node_modules")
    if missing:
        unavailable("; ".join(missing))


def new_key(kid: str) -> Key:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


class NodeProvider:
    """A provider process; `start` and `stop` may be called again and again.

    People who sign in are sent back to `redirects`.
    """

    def __init__(
        self, *keys: Key, script: str = "provider.mjs", redirects: Iterable[str] = ()
    ) -> None:
        self.issuer = ""
        self.redirects = list(redirects)
        self._script = script
        self._keys = keys
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> NodeProvider:
        """Listen, on the port of the last start if there was one."""
        port = self.issuer.rpartition(":")[2] or "0"
        self._process = subprocess.Popen(
            ["node", self._script, port],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.sign_with(*self._keys)
        return self

    def sign_with(self, *keys: Key) -> None:
        """Publish these keys, and sign with the first of them from now on."""
        self._keys = keys
        process = self._running()
        command = json.dumps(
            {
                "keys": [key.as_dict(private=True) for key in keys],
                "redirects": self.redirects,
            }
        )
        process.stdin.write(f"{command}\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or '{"error": "the provider has ended"}')
        assert "error" not in answer, answer["error"]
        self.issuer = answer["issuer"]

    def stop(self) -> None:
        """End the process; connections are refused from then on."""
        if self._process is not None:
            with self._process as process:
                process.kill()
            self._process = None

    def token(self, scopes: Iterable[str] = ("read",), resource: str = RESOURCE) -> str:
        """An access token of the client credentials grant, got as a client gets it."""
        answer = httpx2.post(
            f"{self.issuer}/token",
            data={
                "grant_type": "client_credentials",
                "scope": " ".join(scopes),
                "resource": resource,
            },
            auth=("robot", "robot-secret"),
        )
        document: dict[str, Any] = answer.json()
        assert answer.status_code == 200, document
        return str(document["access_token"])

    def _running(self) -> Any:
        assert self._process is not None, "the provider is not running"
        return self._process
