"""Project Wycheproof's vectors: no forged signature and no unfit key is accepted.

The vectors are looked for in ``LICET_TEST_WYCHEPROOF``, else beside the repository. They sign bytes
that are no claims, so what is tried is what a verifier does before it reads claims: key set,
decoding, key by id, algorithm, signature.
"""

import json
import os
from pathlib import Path

import pytest

from licet.authn.tokens._jwk import usable_keys
from licet.authn.tokens._jws import ASYMMETRIC_ALGORITHMS, check_signature, decode_compact
from licet.errors import InvalidToken

FOLDER = Path(
    os.environ.get("LICET_TEST_WYCHEPROOF")
    or Path(__file__).parents[3] / "shared" / "vectors" / "wycheproof"
)
FILES = {"JWS": "json_web_signature_test.json", "JWK": "json_web_key_test.json"}
SYMMETRIC = "symmetric keys never count as published keys"
OTHER_ALG = "the key is published for another algorithm than the token's"
FALSE_REJECTS = {
    "JWS": {
        **dict.fromkeys((1, 348, 352, 357, 358, 359, 376, 377), SYMMETRIC),
        **dict.fromkeys((372, 373), "a character that is not of base64url; symmetric besides"),
        **dict.fromkeys((346, 350), OTHER_ALG + " (PS256, PS384)"),
        **dict.fromkeys((347, 351), OTHER_ALG + " (ES521, which does not exist)"),
    },
    "JWK": dict.fromkeys((2, 13, 14, 15), SYMMETRIC),
}


@pytest.fixture(scope="module")
def vectors():
    missing = [str(FOLDER / name) for name in FILES.values() if not (FOLDER / name).is_file()]
    if missing:
        text = f"no Wycheproof vectors (set LICET_TEST_WYCHEPROOF): {', '.join(missing)}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(text)
    return {kind: json.loads((FOLDER / name).read_text("utf-8")) for kind, name in FILES.items()}


def accepts(published, token):
    keys = usable_keys(published if "keys" in published else {"keys": [published]})
    try:
        compact = decode_compact(token)
        key = keys.get(compact.header.get("kid"))
        if key is None or compact.header.get("alg") not in ASYMMETRIC_ALGORITHMS:
            return False
        check_signature(compact, key)
    except InvalidToken:
        return False
    return True


def outcomes(document):
    """Each vector's number, whether it is valid, and whether it is accepted."""
    for group in document["testGroups"]:
        published = group.get("public") or group["private"]
        for test in group["tests"]:
            yield test["tcId"], test["result"] == "valid", accepts(published, test["jws"])


@pytest.mark.parametrize("kind", FILES)
def test_no_false_accept(vectors, kind):
    """Not one invalid vector is accepted."""
    found = list(outcomes(vectors[kind]))
    assert len(found) == vectors[kind]["numberOfTests"]
    assert [number for number, valid, accepted in found if accepted and not valid] == []
    assert any(accepted for *_, accepted in found)


@pytest.mark.parametrize("kind", FILES)
def test_every_false_reject_has_its_reason(vectors, kind):
    """The valid vectors that are refused are these, and no others."""
    rejects = {number for number, valid, accepted in outcomes(vectors[kind]) if valid > accepted}
    assert rejects == set(FALSE_REJECTS[kind])
