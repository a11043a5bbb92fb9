"""In production a token is for this API or for nobody: the identity provider's keys sign tokens for others, too."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI, Request, Response

from api.app import create_app
from api.auth import Authenticator
from charging.settings import Settings
from tests.serving import serve
from tests.test_settings import PRODUCTION

OURS = PRODUCTION["jwt_audience"]
CLIENT = "the-robot-app"  # an ID token's audience is the client that it was issued to (OpenID Connect Core 1.0 §2)


@dataclass
class Provider:
    """An identity provider, and an engine in production that trusts its key."""

    key: ec.EllipticCurvePrivateKey
    settings: Settings

    def token(self, typ: str = "JWT", **claims: Any) -> str:
        """Well signed, of this user, good for an hour."""
        whole = {"sub": "user-1", "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(whole, self.key, "ES256", headers={"kid": "k", "typ": typ})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = jwt.get_algorithm_by_name("ES256").to_jwk(key.public_key(), as_dict=True)
    app = FastAPI()

    @app.get("/jwks.json")
    async def jwks() -> Response:
        return Response(json.dumps({"keys": [{**public, "kid": "k", "alg": "ES256"}]}))

    async with serve(app) as url:
        # Production asks for https; who serves the keys is not what is tried here.
        settings = Settings(**PRODUCTION).model_copy(update={"jwks_url": f"{url}/jwks.json"})
        yield Provider(key, settings)


@pytest.mark.trust("2.13")
async def test_an_id_token_is_401(provider: Provider) -> None:
    """Its ``typ`` is that of an access token, or none: what tells it apart is for whom it is, the ``aud``."""
    app = create_app(provider.settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=PRODUCTION["public_url"]) as http:
        for audience in ({"aud": CLIENT}, {"aud": [CLIENT, "another"]}, {}):
            id_token = provider.token(iss="https://id.example", nonce=uuid.uuid4().hex, **audience)
            answer = await http.get("/v1/sessions", headers={"Authorization": f"Bearer {id_token}"})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), audience


@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
async def test_an_access_token_for_this_api_is_taken_whatever_other_api_it_is_for_too(
    provider: Provider, typ: str
) -> None:
    authenticator = Authenticator(provider.settings)
    for audience in (OURS, ["https://jobs.example", OURS]):
        header = f"Bearer {provider.token(typ, aud=audience)}".encode()
        asked = Request({"type": "http", "headers": [(b"authorization", header)]})
        assert (await authenticator.user(asked)).sub == "user-1"
