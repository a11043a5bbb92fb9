"""Who signs the tokens of EV Pass's users."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel

from charging.sandbox.persistence import Journal

_KIND = "signing-key"


class _Key(BaseModel):
    """``pem``: the private key."""

    kid: str
    pem: str


class Issuer:
    """Signs with ES256. Published: the key before, the present one, and the one that comes next; kept over a kill."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._keys = [*journal.load(_KIND, _Key).values()]
        while len(self._keys) < 3:
            self._add()

    def rotate(self) -> None:
        """From now on the next key, which everybody knows already."""
        self._journal.delete(_KIND, [self._keys.pop(0).kid])
        self._add()

    def jwks(self) -> dict[str, Any]:
        """RFC 7517."""
        algorithm = jwt.get_algorithm_by_name("ES256")
        keys = {key.kid: algorithm.to_jwk(_private(key).public_key(), as_dict=True) for key in self._keys}
        return {"keys": [{**key, "kid": kid, "alg": "ES256", "use": "sig"} for kid, key in keys.items()]}

    def token(self, claims: dict[str, Any], ttl: timedelta) -> str:
        """Good for ``ttl``, unless its key is rotated away before."""
        key = self._keys[1]
        expires = datetime.now(UTC) + ttl
        return jwt.encode({**claims, "exp": expires}, _private(key), "ES256", headers={"kid": key.kid})

    def _add(self) -> None:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = _Key(kid=uuid.uuid4().hex, pem=pem.decode())
        self._journal.put((_KIND, key.kid, key))
        self._keys.append(key)


def _private(key: _Key) -> ec.EllipticCurvePrivateKey:
    loaded = serialization.load_pem_private_key(key.pem.encode(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey), "we made it"  # noqa: S101 - for the type checker
    return loaded
