"""Who may call: one hostile token after the other (docs/trust.md 2.1 to 2.17). No store and no Temporal is touched."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from api.app import create_app
from api.auth import READ, WRITE, Authenticator
from api.protocol import GuardedProtocol
from charging.errors import Problem
from charging.settings import DEVELOPMENT_SECRET, Settings
from tests.serving import serve

NOW = int(time.time())
SLICE = 8192  # bytes that come in one piece
CLAIMS: dict[str, Any] = {"sub": "user-1", "exp": NOW + 3600}


def token(claims: dict[str, Any] | None = None, *, headers: dict[str, Any] | None = None, **more: Any) -> str:
    """A token signed with the development secret."""
    return jwt.encode({**(claims or CLAIMS), **more}, DEVELOPMENT_SECRET, "HS256", headers=headers)


def by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token of any header, however odd."""
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims)]
    return b".".join([*parts, base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"=")]).decode()


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    """A token of any header, signed with HMAC-SHA256."""
    return by_hand(header, claims, lambda told: hmac.new(secret, told, hashlib.sha256).digest() if secret else b"")


async def check(authenticator: Authenticator, authorization: str | None) -> Any:
    """The user of a request with this header."""
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    return await authenticator.user(Request({"type": "http", "headers": headers}))


async def refused(authenticator: Authenticator, authorization: str | None) -> None:
    with pytest.raises(Problem) as problem:
        await check(authenticator, authorization)
    assert problem.value.status == 401
    assert problem.value.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.fixture
def development() -> Authenticator:
    """Checks by the shared secret, as on one machine."""
    return Authenticator(Settings())


def case(authorization: str | None, *rows: pytest.MarkDecorator) -> Any:
    """A parameter with the rows that it is of, under a name of its own."""
    return pytest.param(authorization, marks=rows, id=str(authorization)[:30])


def signed_by_hand(**claims: Any) -> str:
    """A token of any claims with a signature that is right."""
    return forged({"alg": "HS256"}, claims, DEVELOPMENT_SECRET.encode())


@pytest.mark.parametrize(
    "authorization",
    [
        case(None, pytest.mark.trust("2.1")),
        case("", pytest.mark.trust("2.1")),
        case("Bearer", pytest.mark.trust("2.1")),
        case("Bearer ", pytest.mark.trust("2.1")),
        case("Basic dXNlcjpwYXNz", pytest.mark.trust("2.2")),
        case(f"Token {token()}"),
        case("Bearer not.a.token"),
        case("Bearer a.b"),
        case(f"Bearer {token()}x"),
        case("Bearer \xe4\xf6\xfc"),
        case(f"Bearer {token(padding='x' * 1_000_000)}", pytest.mark.trust("2.16")),
        case(f"Bearer {forged({'alg': 'none', 'typ': 'JWT'}, CLAIMS)}", pytest.mark.trust("2.3")),
        case(f"Bearer {forged({'alg': 'NONE'}, CLAIMS)}", pytest.mark.trust("2.3")),
        case(f"Bearer {jwt.encode(CLAIMS, 'another-secret-that-is-long-enough-for-hs256', 'HS256')}"),
        case(f"Bearer {jwt.encode(CLAIMS, DEVELOPMENT_SECRET * 2, 'HS512')}"),
        case(f"Bearer {token(exp=NOW - 60)}", pytest.mark.trust("2.10")),
        case(f"Bearer {token({'sub': 'user-1'})}", pytest.mark.trust("2.12")),
        case(f"Bearer {token({'exp': NOW + 3600})}", pytest.mark.trust("2.12")),
        case(f"Bearer {token(sub='')}"),
        case(f"Bearer {token(sub='a' * 256)}"),
        case(f"Bearer {token(sub='nul' + chr(0))}"),
        case(f"Bearer {token(nbf=NOW + 600)}", pytest.mark.trust("2.11")),
        case(f"Bearer {token(iat=NOW + 600)}", pytest.mark.trust("2.11")),
        case(f"Bearer {token(headers={'crit': ['b64'], 'b64': True})}", pytest.mark.trust("2.14")),
        case(f"Bearer {token(headers={'crit': ['exp']})}", pytest.mark.trust("2.14")),
        case(f"Bearer {token(headers={'typ': 'id_token'})}", pytest.mark.trust("2.13")),
        case(f"Bearer {token(headers={'typ': 'dpop+jwt'})}", pytest.mark.trust("2.13")),
        case(f"Bearer {signed_by_hand(sub=7, exp=NOW + 3600)}"),
        case(f"Bearer {signed_by_hand(sub='u', exp='soon')}"),
        case(f"Bearer {signed_by_hand(sub='u', exp=float('inf'))}"),
        case(f"Bearer {signed_by_hand(sub='u', exp=None)}"),
    ],
)
async def test_a_token_that_proves_nothing_is_401(development: Authenticator, authorization: str | None) -> None:
    await refused(development, authorization)


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt"])
async def test_access_tokens_of_both_types_are_taken(development: Authenticator, typ: str) -> None:
    assert (await check(development, f"bearer {token(headers={'typ': typ})}")).sub == "user-1"


async def test_a_token_is_taken_within_the_leeway_after_its_end(development: Authenticator) -> None:
    assert (await check(development, f"Bearer {token(exp=int(time.time()) - 3)}")).sub == "user-1"


async def test_a_robot_acts_for_its_user(development: Authenticator) -> None:
    user = await check(development, f"Bearer {token(act={'sub': 'robot-9'})}")
    assert (user.sub, user.actor) == ("user-1", "robot-9")


async def test_two_authorization_headers_are_401(development: Authenticator) -> None:
    header = (b"authorization", f"Bearer {token()}".encode())
    with pytest.raises(Problem):
        await development.user(Request({"type": "http", "headers": [header, header]}))


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"iss": "https://id.example", "aud": "charging"}, True),
        ({"iss": "https://id.example", "aud": ["other", "charging"]}, True),
        pytest.param({"iss": "https://id.example", "aud": "other"}, False, marks=pytest.mark.trust("2.8")),
        pytest.param({"iss": "https://id.example"}, False, marks=pytest.mark.trust("2.8")),
        pytest.param({"iss": "https://evil.example", "aud": "charging"}, False, marks=pytest.mark.trust("2.9")),
        pytest.param({"aud": "charging"}, False, marks=pytest.mark.trust("2.9")),
    ],
)
async def test_issuer_and_audience_are_checked_when_configured(claims: dict[str, Any], accepted: bool) -> None:
    strict = Authenticator(Settings(jwt_issuer="https://id.example", jwt_audience="charging"))
    if accepted:
        assert (await check(strict, f"Bearer {token(**claims)}")).sub == "user-1"
    else:
        await refused(strict, f"Bearer {token(**claims)}")


# ---- JWKS ---------------------------------------------------------------------------------------------------------


@dataclass
class Issuer:
    """An identity provider with one key of each kind."""

    url: str = ""
    asked: int = 0  # for anything
    fetches: int = 0  # of its keys
    is_down: bool = False
    keys: dict[str, Any] = field(
        default_factory=lambda: {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
    )

    def token(self, kid: str, algorithm: str, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        key = self.keys.get(kid, self.keys["rsa"])
        return jwt.encode({**CLAIMS, **claims}, key, algorithm, headers={"kid": kid, **(headers or {})})

    def signed(self, header: dict[str, Any]) -> str:
        """A token of any header with the signature of the key ``rsa``."""
        return by_hand(header, CLAIMS, lambda told: self.keys["rsa"].sign(told, padding.PKCS1v15(), hashes.SHA256()))

    def jwks(self) -> dict[str, Any]:
        kinds = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}
        return {
            "keys": [
                {**jwt.get_algorithm_by_name(a).to_jwk(self.keys[k].public_key(), as_dict=True), "kid": k, "alg": a}
                for k, a in kinds.items()
            ]
        }

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def count(request: Request, answer: RequestResponseEndpoint) -> Response:
            self.asked += 1
            return await answer(request)

        @app.get("/jwks.json")
        async def jwks() -> Response:
            self.fetches += 1
            return Response(json.dumps(self.jwks()), 503 if self.is_down else 200)

        return app


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with serve(issuer.app()) as url:
        issuer.url = f"{url}/jwks.json"
        yield issuer


def production(issuer: Issuer) -> Authenticator:
    """Checks by the issuer's keys; HS256 is configured as well, and must not count."""
    return Authenticator(Settings(jwks_url=issuer.url, jwt_algorithms=["RS256", "ES256", "EdDSA", "HS256"]))


@pytest.mark.parametrize(("kid", "algorithm"), [("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")])
async def test_tokens_of_the_issuer_are_taken(issuer: Issuer, kid: str, algorithm: str) -> None:
    assert (await check(production(issuer), f"Bearer {issuer.token(kid, algorithm)}")).sub == "user-1"


@pytest.mark.trust("2.4")
async def test_a_token_signed_with_the_public_key_as_a_secret_is_401(issuer: Issuer) -> None:
    pem = issuer.keys["rsa"].public_key()
    secret = pem.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    await refused(production(issuer), f"Bearer {forged({'alg': 'HS256', 'kid': 'rsa'}, CLAIMS, secret)}")
    by_secret = forged({"alg": "HS256", "kid": "rsa"}, CLAIMS, DEVELOPMENT_SECRET.encode())
    await refused(production(issuer), f"Bearer {by_secret}")


@pytest.mark.trust("2.6")
@pytest.mark.parametrize("kid", ["unknown", "../../etc/passwd", "' OR 1=1 --", 7, None, ["rsa"]])
async def test_an_unknown_key_id_is_401_though_the_signature_is_the_issuers(issuer: Issuer, kid: Any) -> None:
    header = {"alg": "RS256"} if kid is None else {"alg": "RS256", "kid": kid}
    authenticator = production(issuer)
    await refused(authenticator, f"Bearer {issuer.signed(header)}")
    assert (await check(authenticator, f"Bearer {issuer.signed({'alg': 'RS256', 'kid': 'rsa'})}")).sub == "user-1"


@pytest.mark.trust("2.5")
async def test_unknown_key_ids_do_not_hammer_the_issuer(issuer: Issuer) -> None:
    authenticator = production(issuer)
    for n in range(20):
        await refused(authenticator, f"Bearer {issuer.token(f'unknown-{n}', 'RS256')}")
    assert issuer.fetches == 1


@pytest.mark.trust("2.7")
async def test_key_headers_inside_the_token_are_ignored(issuer: Issuer) -> None:
    authenticator = production(issuer)
    evil = Issuer()
    async with serve(evil.app()) as url:
        for header in ({"jku": f"{url}/jwks.json"}, {"x5u": f"{url}/x"}, {"jwk": evil.jwks()["keys"][0]}):
            await refused(authenticator, f"Bearer {evil.token('rsa', 'RS256', header)}")
    assert evil.asked == 0


async def test_an_issuer_that_is_down_is_503_for_unknown_keys_and_nothing_for_known_ones(issuer: Issuer) -> None:
    authenticator = production(issuer)
    issuer.is_down = True
    with pytest.raises(Problem) as problem:
        await check(authenticator, f"Bearer {issuer.token('rsa', 'RS256')}")
    assert (problem.value.status, "Retry-After" in problem.value.headers) == (503, True)
    issuer.is_down = False
    await check(authenticator, f"Bearer {issuer.token('rsa', 'RS256')}")
    issuer.is_down = True
    assert (await check(authenticator, f"Bearer {issuer.token('rsa', 'RS256', sub='user-2')}")).sub == "user-2"


# ---- Over HTTP ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def bare() -> AsyncIterator[httpx.AsyncClient]:
    """The application without its lifespan: whatever is refused here touched neither store nor Temporal."""
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


ONLY_ASKS = {"/v1/plans", "/v1/quotes"}  # by POST, and changes nothing
OF_OTHERS = ("/v1/admin/", "/v1/neighbours/")  # who prove by other means who they are
PARAMETER = re.compile(r"\{\w+\}")


def endpoints() -> list[tuple[str, str, str]]:
    """Method, path and scope of whatever the application offers to users: GET reads, the others write."""
    offered = create_app(Settings()).openapi()["paths"]
    return [
        (method.upper(), PARAMETER.sub("x", path), READ if method == "get" or path in ONLY_ASKS else WRITE)
        for path in offered
        if path.startswith("/v1/") and not path.startswith(OF_OTHERS)
        for method in offered[path]
    ]


@pytest.mark.trust("2.1", "2.15")
@pytest.mark.parametrize(("method", "path", "scope"), endpoints())
async def test_every_endpoint_wants_a_token_and_its_scope(
    bare: httpx.AsyncClient, method: str, path: str, scope: str
) -> None:
    without = await bare.request(method, path)
    assert (without.status_code, without.json()["code"]) == (401, "unauthorized")
    assert without.headers["Content-Type"] == "application/problem+json"
    assert "WWW-Authenticate" in without.headers
    other = {WRITE: READ, READ: WRITE}[scope]
    for scopes in (other, "", "sessions"):
        answer = await bare.request(method, path, headers={"Authorization": f"Bearer {token(scope=scopes)}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.trust("2.16")
async def test_over_http_a_token_of_a_megabyte_is_turned_away_while_it_comes() -> None:
    """As ``python -m api`` serves. The same token without its padding is believed, and lacks a scope."""
    async with serve(create_app(Settings()), http=GuardedProtocol, lifespan="off") as url:
        assert await status_of(url, token(scope="")) == "403"
        assert await status_of(url, token(scope="", padding="x" * 20_000)) == "401"
        assert await status_of(url, token(scope="", padding="x" * 1_000_000)) == "431"


async def status_of(url: str, token: str) -> str:
    """The HTTP status for a caller who sends ``token`` as slowly as a network does, until there is an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    answered = asyncio.ensure_future(reader.readline())
    head = f"GET /v1/sessions HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    for at in range(0, len(head), SLICE):
        writer.write(head[at : at + SLICE])
        await asyncio.wait([answered], timeout=0.01)
        if answered.done():
            break
    status = (await answered).split()[1].decode()
    writer.close()
    return status


@pytest.mark.trust("2.17")
async def test_a_token_in_the_query_string_is_not_a_token(bare: httpx.AsyncClient) -> None:
    for name in ("access_token", "token"):
        assert (await bare.get("/v1/sessions", params={name: token()})).status_code == 401


async def test_a_token_with_the_scope_may_read(development: Authenticator) -> None:
    user = await check(development, f"Bearer {token(scope='openid sessions:read')}")
    user.require(READ)


async def test_a_refused_request_never_repeats_its_token(bare: httpx.AsyncClient) -> None:
    secret = token() + "tampered"
    answer = await bare.get("/v1/sessions", headers={"Authorization": f"Bearer {secret}"})
    assert secret not in answer.text
    assert secret.split(".")[1] not in answer.text
