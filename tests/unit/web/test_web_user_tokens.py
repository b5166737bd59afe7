"""User tokens of every kind: shared secrets, public keys, and keys that a login server publishes."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.domain.errors import BadProof
from gateway.settings import ServerSettings, Settings
from gateway.web.jwt_keys import ASK_AGAIN_MILLIS, JwksKeys, usable_keys
from gateway.web.outgoing import Outgoing
from gateway.web.user_tokens import UserTokens
from tests.support.web import Clock, user_token
from tests.support.web_settings import CONFIG, JWT_KEY, settings_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
WEAK_BITS = 1024
WEAK_RSA = rsa.generate_private_key(65537, WEAK_BITS)
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())


def pem(key: Any) -> str:
    public = key.public_key()
    return str(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    )


def jwk(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    document: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
    document.pop("key_ops", None)
    return document | ({} if kid is None else {"kid": kid}) | more


def token(key: Any, algorithm: str, *, kid: str | None = None, **claims: Any) -> str:
    payload = {"sub": "1001", "exp": int(time.time()) + 60, **claims}
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def settings_with(directory: Path, user_tokens: str) -> Settings:
    written = f'user_tokens = {{ algorithm = "HS256", key = "{JWT_KEY}" }}'
    assert written in CONFIG
    return settings_in(directory, CONFIG.replace(written, f"user_tokens = {{ {user_tokens} }}"))


async def extension_of(tokens: UserTokens, text: str, tenant: str = "acme") -> str | None:
    try:
        return (await tokens.caller(tenant, text)).extension
    except BadProof:
        return None


def public_key(algorithm: str, key: Any, more: str = "") -> str:
    return f'algorithm = "{algorithm}", key = {json.dumps(pem(key))}{more}'


@pytest.mark.parametrize(
    ("algorithm", "public", "signer"), [("RS256", RSA, RSA), ("ES256", EC, EC)], ids=["RS256", "ES256"]
)
async def test_a_token_signed_by_the_tenants_key_names_the_extension(
    tmp_path: Path, algorithm: str, public: Any, signer: Any
) -> None:
    tokens = UserTokens(settings_with(tmp_path, public_key(algorithm, public)), clock=Clock())

    assert await extension_of(tokens, token(signer, algorithm)) == "1001"
    assert await extension_of(tokens, token(signer, algorithm), tenant="globex") is None
    assert await extension_of(tokens, token(signer, algorithm), tenant="nowhere") is None


def confusions() -> Iterator[tuple[str, str]]:
    yield "of another key", token(OTHER_RSA, "RS256")
    yield "of another algorithm of the same key", token(RSA, "PS256")
    yield "of a stronger hash", token(RSA, "RS512")
    yield "of an elliptic key", token(EC, "ES256")
    yield "unsigned", jwt.encode({"sub": "1001", "exp": 9e9}, "", algorithm="none")
    yield "signed by the public key as a secret", by_secret(pem(RSA).encode())
    yield "cut", token(RSA, "RS256")[:-8]
    yield "without a signature", token(RSA, "RS256").rpartition(".")[0] + "."
    yield "of nothing", ".."


def by_secret(secret: bytes) -> str:
    """What PyJWT refuses to make: HS256 with the PEM as the secret."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(b'{"sub":"1001","exp":9999999999}')
    return signed + "." + part(hmac.digest(secret, signed.encode(), sha256))


@pytest.mark.parametrize(("_name", "text"), list(confusions()), ids=[name for name, _ in confusions()])
async def test_the_algorithm_is_the_configured_one_whatever_the_token_says(
    tmp_path: Path, _name: str, text: str
) -> None:
    tokens = UserTokens(settings_with(tmp_path, public_key("RS256", RSA)), clock=Clock())

    assert await extension_of(tokens, text) is None


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({}, True),
        ({"exp": -10}, True),
        ({"exp": -60}, False),
        ({"exp": "soon"}, False),
        ({"nbf": 120}, False),
        ({"iat": 120}, False),
        ({"sub": 1001}, False),
        ({"sub": ["1001"]}, False),
        ({"sub": ""}, False),
        ({"aud": "anyone"}, True),
        ({"iss": "anyone"}, True),
    ],
)
async def test_claims_without_audience_and_issuer_configured(
    tmp_path: Path, claims: dict[str, Any], good: bool
) -> None:
    """Times are seconds from now: what is collected early is run late."""
    tokens = UserTokens(settings_with(tmp_path, public_key("ES256", EC)), clock=Clock())
    now = int(time.time())
    timed = {name: now + claims[name] for name in ("exp", "nbf", "iat") if isinstance(claims.get(name), int)}

    try:
        text = token(EC, "ES256", **{**claims, **timed})
    except TypeError:  # PyJWT would not even make it
        text = "a.b.c"
    assert (await extension_of(tokens, text) is not None) is good


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"aud": "softphone", "iss": "https://login"}, True),
        ({"aud": ["other", "softphone"], "iss": "https://login"}, True),
        ({"aud": "softphone"}, False),
        ({"iss": "https://login"}, False),
        ({"aud": "other", "iss": "https://login"}, False),
        ({"aud": "softphone", "iss": "https://elsewhere"}, False),
    ],
)
async def test_audience_and_issuer_are_checked_when_configured(
    tmp_path: Path, claims: dict[str, Any], good: bool
) -> None:
    rules = f'algorithm = "HS256", key = "{JWT_KEY}", audience = "softphone", issuer = "https://login"'
    tokens = UserTokens(settings_with(tmp_path, rules), clock=Clock())

    assert (await extension_of(tokens, user_token("1001", **claims)) is not None) is good


@dataclass
class LoginServer:
    """Publishes keys; can be told to fail."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    answer: web.Response | None = None
    fetched: int = 0
    url: str = ""

    async def jwks(self, request: web.Request) -> web.Response:
        self.fetched += 1
        if self.answer is not None:
            return web.Response(body=self.answer.body, status=self.answer.status, headers=self.answer.headers)
        return web.json_response({"keys": self.keys})


@asynccontextmanager
async def login_server(*keys: dict[str, Any]) -> AsyncIterator[LoginServer]:
    login = LoginServer(list(keys))
    app = web.Application()
    app.router.add_get("/jwks", login.jwks)
    async with TestServer(app) as server:
        login.url = str(server.make_url("/jwks"))
        yield login


@asynccontextmanager
async def tokens_by(login: LoginServer, directory: Path, clock: Clock | None = None) -> AsyncIterator[UserTokens]:
    settings = settings_with(directory, f'algorithm = "RS256", jwks_url = "{login.url}"')
    tokens = UserTokens(settings, clock=clock or Clock())
    async with tokens.keeping_keys():
        yield tokens


async def test_keys_are_fetched_from_the_login_server(tmp_path: Path) -> None:
    async with login_server(jwk(OTHER_RSA, "old"), jwk(RSA, "new")) as login, tokens_by(login, tmp_path) as tokens:
        assert await extension_of(tokens, token(RSA, "RS256", kid="new")) == "1001"
        assert await extension_of(tokens, token(OTHER_RSA, "RS256", kid="new")) is None
        assert await extension_of(tokens, token(RSA, "RS256")) == "1001"
        assert tokens.without_keys() == ()
        assert login.fetched == 1


async def test_an_unknown_key_id_is_looked_up_at_most_every_30_seconds(tmp_path: Path) -> None:
    clock = Clock()
    async with login_server(jwk(RSA, "1")) as login, tokens_by(login, tmp_path, clock) as tokens:
        assert await extension_of(tokens, token(RSA, "RS256", kid="1")) == "1001"
        login.keys.append(jwk(OTHER_RSA, "2"))
        assert await extension_of(tokens, token(OTHER_RSA, "RS256", kid="2")) is None
        assert login.fetched == 1

        clock.offset += ASK_AGAIN_MILLIS
        assert await extension_of(tokens, token(OTHER_RSA, "RS256", kid="2")) == "1001"
        assert await extension_of(tokens, token(OTHER_RSA, "RS256", kid="3")) is None
        assert login.fetched == 2


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(text="not JSON"),
        web.Response(text="[]"),
        web.Response(text='{"keys": []}'),
        web.Response(text=" " * 300_000),
        web.Response(text="[" * 100_000),
        web.Response(status=302, headers={"Location": "/jwks"}),
    ],
    ids=["500", "not JSON", "a list", "no key", "too large", "too deep", "a redirect"],
)
async def test_the_last_good_keys_are_kept(tmp_path: Path, answer: web.Response) -> None:
    clock = Clock()
    async with login_server(jwk(RSA, "1")) as login, tokens_by(login, tmp_path, clock) as tokens:
        assert await extension_of(tokens, token(RSA, "RS256", kid="1")) == "1001"
        login.answer = answer
        clock.offset += ASK_AGAIN_MILLIS

        assert await extension_of(tokens, token(RSA, "RS256", kid="2")) is None
        assert login.fetched == 2
        assert await extension_of(tokens, token(RSA, "RS256", kid="1")) == "1001"


async def test_without_any_key_nobody_is_proven_and_health_can_tell(tmp_path: Path) -> None:
    async with login_server() as login:
        login.answer = web.Response(status=503)
        async with tokens_by(login, tmp_path) as tokens:
            assert await extension_of(tokens, token(RSA, "RS256", kid="1")) is None
            assert tokens.without_keys() == ("acme",)


async def test_a_server_that_is_not_there_proves_nobody(tmp_path: Path, unused_tcp_port: int) -> None:
    outgoing = Outgoing(ServerSettings())
    keys = JwksKeys(f"http://127.0.0.1:{unused_tcp_port}/jwks", "RS256", outgoing=outgoing, clock=Clock())
    async with outgoing.session() as session:
        await keys.fetch(session)

    assert not keys.known


@pytest.mark.parametrize(
    "item",
    [
        jwk(RSA, "1", use="enc"),
        jwk(RSA, "1", alg="RS512"),
        jwk(WEAK_RSA, "1"),
        jwk(EC, "1"),
        jwk(EC_384, "1"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "1"},
        {"kty": "RSA", "kid": "1"},
        {"kty": "RSA", "n": 1, "e": [], "kid": "1"},
        "a key",
        None,
    ],
)
async def test_a_key_that_does_not_fit_is_skipped(item: Any) -> None:
    found = list(usable_keys({"keys": [item, jwk(RSA, "good")]}, "RS256"))

    assert [key.key_id for key in found] == ["good"]


@pytest.mark.parametrize("item", [jwk(EC_384, "1"), jwk(RSA, "1")])
async def test_an_elliptic_key_is_of_the_curve_p_256(item: Any) -> None:
    assert [key.key_id for key in usable_keys({"keys": [item, jwk(EC, "good")]}, "ES256")] == ["good"]


async def test_private_parts_that_a_server_publishes_by_mistake_do_no_harm() -> None:
    document = jwt.algorithms.RSAAlgorithm.to_jwk(RSA, as_dict=True)
    (key,) = usable_keys({"keys": [{**document, "use": "sig"}]}, "RS256")

    assert isinstance(key.key, rsa.RSAPublicKey)
