"""CPU time of verifying one access token: joserfc alone (the floor), licet, and PyJWT.

    .venv/bin/python benchmarks/tokens.py            # or with --rounds 31

joserfc and PyJWT check the signature, `iss`, `aud` and `exp`, with the key at hand. licet decodes
strictly, checks all its claims, and makes an `Identity`; cold means that it has forgotten the token
before, warm that it remembers it. All take turns in one process, round by round, and the medians
are compared.

The claims: cold at most 1.25 × joserfc alone, warm at most 5 µs. Beside them, in calls and not in
time: 1,000 tokens with bogus kids have a provider's keys fetched once.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt as pyjwt
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from licet.authn import JWTVerifier
from licet.errors import InvalidToken

ISSUER = "https://issuer.example"
AUDIENCE = "https://service.example"
KEYS = {
    "ES256": ECKey.generate_key("P-256", {"kid": "bench", "alg": "ES256", "use": "sig"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "bench", "alg": "RS256", "use": "sig"}),
}
COLD, WARM = 1.25, 5.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--tokens", type=int, default=500, help="in each round")
    options = arguments.parse_args()
    print(
        f"CPU µs a token, medians of {options.rounds} rounds of {options.tokens}, "
        f"Python {platform.python_version()}\n"
    )
    holds = [report(algorithm, measure(algorithm, options)) for algorithm in KEYS]
    holds.append(bogus_kids())
    sys.exit(0 if all(holds) else 1)


def contestants(algorithm: str) -> dict[str, Callable[[], Any]]:
    key = KEYS[algorithm]
    public = type(key).import_key(key.as_dict(private=False))
    raw_key = public.raw_value
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "iat": now, "exp": now + 3600}
    header = {"alg": algorithm, "kid": "bench", "typ": "at+jwt"}
    token = jwt.encode(header, {**claims, "scope": "read write"}, key)
    rules = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    verifier = our_verifier(algorithm, lambda _request: None, key_source(public))

    def joserfc_alone() -> None:
        rules.validate(jwt.decode(token, public, algorithms=[algorithm]).claims)

    def pyjwt_alone() -> None:
        pyjwt.decode(token, raw_key, [algorithm], audience=AUDIENCE, issuer=ISSUER)

    def cold() -> None:
        verifier.forget()
        verifier.verify(token)

    return {
        "joserfc alone": joserfc_alone,
        "PyJWT alone": pyjwt_alone,
        "licet, cold": cold,
        "licet, warm": lambda: verifier.verify(token),
    }


def key_source(public: Any) -> Any:
    class Keys:
        def key(self, kid: str) -> Any:
            return public if kid == "bench" else None

    return Keys()


def our_verifier(algorithm: str, answer: Callable[[Any], Any], keys: Any = None) -> JWTVerifier:
    return JWTVerifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms={algorithm},
        keys=keys,
        transport=httpx2.MockTransport(answer),
    )


def measure(algorithm: str, options: argparse.Namespace) -> dict[str, float]:
    """Median µs of CPU time a token, by contestant."""
    runners = contestants(algorithm)
    times: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(options.rounds + 1):
        for name, run in runners.items():
            began = time.process_time()
            for _ in range(options.tokens):
                run()
            if turn:  # the first round warms up
                times[name].append((time.process_time() - began) / options.tokens * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def report(algorithm: str, medians: dict[str, float]) -> bool:
    floor = medians["joserfc alone"]
    print(algorithm)
    for name, found in medians.items():
        print(f"  {name:16}{found:8.1f}  {found / floor:5.2f} ×")
    ratio, warm = medians["licet, cold"] / floor, medians["licet, warm"]
    print(f"  cold ≤ {COLD} × joserfc: {ratio:.2f} ×, {'holds' if ratio <= COLD else 'FAILS'}")
    print(f"  warm ≤ {WARM:.0f} µs: {warm:.1f} µs, {'holds' if warm <= WARM else 'FAILS'}\n")
    return ratio <= COLD and warm <= WARM


def bogus_kids() -> bool:
    """Whether 1,000 tokens with unknown keys have the keys fetched once."""
    key, fetches = KEYS["ES256"], 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal fetches
        if request.url.path == "/keys":
            fetches += 1
            return httpx2.Response(200, json={"keys": [key.as_dict(private=False)]})
        return httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})

    verifier, refused, now = our_verifier("ES256", answer), 0, int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "iat": now, "exp": now + 3600}
    for number in range(1000):
        header = {"alg": "ES256", "kid": f"bogus-{number}", "typ": "at+jwt"}
        try:
            verifier.verify(jwt.encode(header, claims, key))
        except InvalidToken:
            refused += 1
    verdict = "holds" if (refused, fetches) == (1000, 1) else "FAILS"
    print(f"1,000 bogus kids, {refused} refused, fetches: {fetches}, {verdict}")
    return verdict == "holds"


if __name__ == "__main__":
    main()
