"""Attacks on a verifier: tokens that none may accept, and what came of each.

A `Forge` makes them. Where it holds the issuer's own key, as with the embedded issuer, each token
is good but for one thing, and that one thing is what gets it refused. With a foreign issuer the
signature is never good; what is tried then is whether the verifier takes another key for its own.

Source: RFC 8725 (JWT best practices), RFC 7515 section 10, RFC 9068 section 4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from joserfc.jwk import Key, OctKey

from licet.authn.tokens._jws import decode_part
from licet.errors import AuthenticationError, ServiceUnavailable
from licet.ops.doctor.forge import Forge, b64, changed

__all__ = ["ATTACKS", "Attack", "Outcome", "attack", "control"]

Verdict = Literal["accepted", "refused", "failed", "unavailable"]


class _Verifier(Protocol):
    def verify(self, token: str) -> object: ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a verifier did with a token, and in which words."""

    name: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Attack:
    """A kind of forged token; `on_type` when it is good wherever tokens need not name their use."""

    name: str
    make: Callable[[Forge], str]
    on_type: bool = False


def control(verifier: _Verifier, forge: Forge) -> Outcome:
    """What becomes of the good token that the forged ones are made from."""
    return _tried("good token", verifier, forge.token())


def attack(verifier: _Verifier, forge: Forge) -> Iterator[Outcome]:
    """What becomes of each forged token, one after another."""
    for each in ATTACKS:
        if each.on_type and not forge.has_strict_type:
            continue
        yield _tried(each.name, verifier, each.make(forge))


def _tried(name: str, verifier: _Verifier, token: str) -> Outcome:
    try:
        verifier.verify(token)
    except AuthenticationError as error:
        return Outcome(name=name, verdict="refused", reason=error.description)
    except ServiceUnavailable as error:
        return Outcome(name=name, verdict="unavailable", reason=error.description)
    except Exception as error:  # noqa: BLE001 - finding these is what it is for
        return Outcome(name=name, verdict="failed", reason=type(error).__name__)
    return Outcome(name=name, verdict="accepted", reason="")


def _claims(name: str, **changes: Any) -> Attack:
    return Attack(name, lambda forge: forge.token(claims=changes))


def _header(name: str, **changes: Any) -> Attack:
    return Attack(name, lambda forge: forge.token(header=changes))


def _later(name: str, claim: str, seconds: float) -> Attack:
    return Attack(name, lambda forge: forge.token(claims={claim: forge.claims["iat"] + seconds}))


def _unsigned(name: str, alg: object) -> Attack:
    def make(forge: Forge) -> str:
        return f"{forge.part({'alg': alg}, of=forge.header)}.{forge.part({}, of=forge.claims)}."

    return Attack(name, make)


def _own_key(name: str, header: Callable[[Key], Mapping[str, Any]]) -> Attack:
    def make(forge: Forge) -> str:
        own = forge.other_key()
        return forge.token(header=header(own), key=own)

    return Attack(name, make)


def _confused(name: str, secret: Callable[[Key], bytes], **header: Any) -> Attack:
    changes = {"alg": "HS256", **header}
    return Attack(name, lambda forge: forge.symmetric(secret(forge.published), changes))


def _text(name: str, change: Callable[[str], str]) -> Attack:
    return Attack(name, lambda forge: change(forge.token()))


def _resigned(name: str, signature: Callable[[str], str]) -> Attack:
    def change(token: str) -> str:
        head, _, good = token.rpartition(".")
        return f"{head}.{signature(good)}"

    return _text(name, change)


def _twice(name: str, part: Literal["header", "claims"], member: str) -> Attack:
    def make(forge: Forge) -> str:
        texts = {"header": json.dumps(dict(forge.header)), "claims": json.dumps(dict(forge.claims))}
        value = json.dumps(getattr(forge, part)[member])
        texts[part] = f'{texts[part][:-1]}, "{member}": {value}}}'
        return forge.signed(texts["header"], texts["claims"])

    return Attack(name, make)


def _payload(name: str, change: Callable[[str], str]) -> Attack:
    def make(forge: Forge) -> str:
        return forge.signed(json.dumps(dict(forge.header)), change(json.dumps(dict(forge.claims))))

    return Attack(name, make)


def _raw_claim(name: str, member: str, literal: str) -> Attack:
    """A claim whose value is written as no JSON library would write it."""
    return _payload(name, lambda text: f'{{"{member}": {literal}, {_without(text, member)}')


def _without(text: str, member: str) -> str:
    return json.dumps(changed(json.loads(text), {member: ...}))[1:]


def _unencoded(forge: Forge) -> str:
    """The payload is signed as it stands, as RFC 7797 would have it."""
    header = forge.part({"b64": False, "crit": ["b64"]}, of=forge.header)
    claims = json.dumps(dict(forge.claims))
    return f"{header}.{b64(claims)}.{forge.signature(f'{header}.{claims}')}"


def _jwe(forge: Forge) -> str:
    header = forge.part({"alg": "dir", "enc": "A256GCM"}, of=forge.header)
    return f"{header}..{b64(bytes(12))}.{forge.part({}, of=forge.claims)}.{b64(bytes(16))}"


def _json_form(forge: Forge) -> str:
    protected, payload, signature = forge.token().split(".")
    return json.dumps({"protected": protected, "payload": payload, "signature": signature})


def _of_other_token(forge: Forge) -> str:
    other = forge.token(claims={"sub": "somebody-else"})
    return f"{forge.token().rpartition('.')[0]}.{other.rpartition('.')[2]}"


def _public(key: Key) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def _pem(key: Key) -> bytes:
    return b"" if isinstance(key, OctKey) else key.as_pem(private=False)


def _other_use(forge: Forge) -> str:
    """An ID token where access tokens are expected, or the other way round."""
    if forge.header["typ"] == "at+jwt":
        return forge.token(header={"typ": "JWT"}, claims={"nonce": "n", "at_hash": "h"})
    return forge.token(header={"typ": "at+jwt"})


def _untyped(forge: Forge) -> str:
    if forge.header["typ"] == "at+jwt":
        return forge.token(header={"typ": ...})
    return forge.token(header={"typ": None})


def _unused_bits(signature: str) -> str:
    """The same bytes spelt with another last letter, or with padding where no bit is unused."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if len(signature) % 4 == 0:
        return signature + "===="
    return signature[:-1] + letters[letters.index(signature[-1]) ^ 1]


_URL: Final = "https://attacker.invalid/keys"
_NO_TIMES: Final = (
    '"9999999999"',
    "NaN",
    "Infinity",
    "-1",
    "1e400",
    "true",
    "null",
    "[]",
    "9" * 400,
)

ATTACKS: Final = (
    *(_unsigned(f"alg {alg!r}", alg) for alg in ("none", "None", "nOnE", "", None, ["none"])),
    _unsigned("no alg", ...),
    _confused("HS256 with the public key as PEM", _pem),
    _confused("HS256 with the public key as JWK", lambda key: json.dumps(_public(key)).encode()),
    _confused("HS256 with an empty secret", lambda _key: b""),
    _confused("HS256 with kid /dev/null", lambda _key: b"", kid="../../../../dev/null"),
    _header("alg of another kind of key", alg="RS512"),
    _header("alg of another curve", alg="ES512"),
    _own_key("another key under the issuer's kid", lambda _key: {}),
    _own_key("another key under its own kid", lambda key: {"kid": key.kid}),
    _own_key("kid left out", lambda _key: {"kid": ...}),
    _own_key("kid that is no text", lambda _key: {"kid": ["a"]}),
    _own_key("kid with SQL", lambda _key: {"kid": "' UNION SELECT 'a"}),
    _own_key("kid with a path", lambda _key: {"kid": "../../../etc/passwd"}),
    _own_key("embedded jwk", lambda key: {"jwk": _public(key)}),
    _own_key("embedded jwk under its own kid", lambda key: {"jwk": _public(key), "kid": key.kid}),
    _own_key("jku", lambda key: {"jku": _URL, "kid": key.kid}),
    _own_key("x5u", lambda key: {"x5u": _URL, "kid": key.kid}),
    _own_key("x5c", lambda key: {"x5c": [b64(_pem(key))], "kid": key.kid}),
    _resigned("signature stripped", lambda _good: ""),
    _resigned("signature cut short", lambda good: b64(decode_part(good.encode())[:-3])),
    _resigned("signature of zeros", lambda good: "A" * len(good)),
    _resigned("signature changed", lambda good: ("B" if good[0] == "A" else "A") + good[1:]),
    _resigned("signature with unused bits set", _unused_bits),
    _resigned("signature with padding", lambda good: good + "="),
    _resigned("signature with a line break", lambda good: good[:4] + "\n" + good[4:]),
    Attack("signature of another token", _of_other_token),
    _text("signature and its dot left out", lambda token: token.rpartition(".")[0]),
    _text("trailing part", lambda token: f"{token}.e30"),
    _text("trailing white space", lambda token: f"{token} "),
    _text("leading white space", lambda token: f" {token}"),
    _text("padded header", lambda token: token.replace(".", "=.", 1)),
    _text("over 8 KiB", lambda token: f"{token}{'A' * 8192}"),
    _claims("over 8 KiB, truly signed", filling="a" * 8192),
    Attack("JWE", _jwe),
    Attack("JSON serialization", _json_form),
    _later("expired", "exp", -1),
    _later("expired long ago", "exp", -86400 * 365),
    _later("nbf in an hour", "nbf", 3600),
    _later("iat in an hour", "iat", 3600),
    _claims("no exp", exp=...),
    *(_raw_claim(f"exp {literal[:12]}", "exp", literal) for literal in _NO_TIMES),
    *(_raw_claim(f"nbf {literal[:12]}", "nbf", literal) for literal in _NO_TIMES),
    *(_raw_claim(f"iat {literal[:12]}", "iat", literal) for literal in _NO_TIMES),
    _claims("no iss", iss=...),
    _claims("another iss", iss="https://attacker.invalid"),
    Attack("iss in a list", lambda forge: forge.token(claims={"iss": [forge.claims["iss"]]})),
    Attack("iss and a slash", lambda forge: forge.token(claims={"iss": f"{forge.claims['iss']}/"})),
    _claims("no aud", aud=...),
    _claims("another aud", aud="https://attacker.invalid"),
    _claims("empty aud", aud=[]),
    Attack("aud with more", lambda forge: forge.token(claims={"aud": f"{forge.claims['aud']}.x"})),
    _claims("no sub", sub=...),
    _claims("empty sub", sub=""),
    _claims("sub that is no text", sub=5),
    _claims("sub with a line break", sub="a\nb"),
    Attack("ID token as access token, or reverse", _other_use),
    Attack("token without typ", _untyped, on_type=True),
    _header("typ of a logout token", typ="logout+jwt"),
    _header("typ of a proof", typ="dpop+jwt"),
    _header("typ that is no text", typ=5),
    _claims("logout token", events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    _header("crit", crit=["exp"]),
    _header("empty crit", crit=[]),
    _header("crit null", crit=None),
    _header("b64 false", b64=False),
    Attack("unencoded payload", _unencoded),
    _twice("alg twice", "header", "alg"),
    _twice("kid twice", "header", "kid"),
    _twice("sub twice", "claims", "sub"),
    _twice("exp twice", "claims", "exp"),
    _payload("trailing data in the claims", lambda text: text + "{}"),
    _payload("claims in a list", lambda text: f"[{text}]"),
    _payload("claims that are text", json.dumps),
    _payload("claims with a mark before them", lambda text: "\ufeff" + text),
    _payload("deeply nested claims", lambda text: f'{text[:-1]}, "a": {"[" * 2000}{"]" * 2000}}}'),
    _payload("unfinished claims", lambda text: text[:-1]),
)
