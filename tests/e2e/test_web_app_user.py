"""A mobile app whose users log in at an identity provider, against the real process."""

import json
import time
from pathlib import Path

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.gateway import IOS, open_gateway

KEY = ec.generate_private_key(ec.SECP256R1())


async def jwks(request: web.Request) -> web.Response:
    key = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return web.json_response({"keys": [{**key, "kid": "2026", "use": "sig", "alg": "ES256"}]})


def token(extension: str, **more: object) -> str:
    claims = {"sub": extension, "exp": int(time.time()) + 60, "aud": "softphone", **more}
    return jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "2026"})


@pytest.fixture
def extra() -> str:
    return f"""
[[tenants]]
id = "globex"
apps = ["{IOS}"]
[[tenants.sources]]
name = "globex-crm"
kind = "generic"
secret = "whsec_{"b3RoZXItc2VjcmV0LW9mLWdsb2JleC1pcy1sb25n"}"
"""


async def test_a_user_of_an_identity_provider_registers_rehearses_and_reads(tmp_path: Path, extra: str) -> None:
    login = web.Application()
    login.router.add_get("/jwks", jwks)
    async with TestServer(login) as server:
        rules = {"algorithm": "ES256", "jwks_url": str(server.make_url("/jwks")), "audience": "softphone"}
        written = ", ".join(f"{name} = {json.dumps(value)}" for name, value in rules.items())
        async with open_gateway(
            tmp_path, extra=f"{extra}[tenants.user_tokens]\n{written.replace(', ', chr(10))}\n"
        ) as gateway:
            own = "/v1/tenants/globex/extensions/1001"
            device = {"app": IOS, "push": {"provider": "apns", "token": "ab" * 32}}

            registered = await gateway.request("PUT", f"{own}/devices/phone", device, key=token("1001"))
            rehearsal = {"type": "call.missed", "data": {"call": {"id": "1"}}}
            preview = await gateway.request("POST", f"{own}/decisions:preview", rehearsal, key=token("1001"))
            inbox = await gateway.request("GET", f"{own}/inbox", key=token("1001"))
            foreign = await gateway.request("GET", f"{own}/inbox", key=token("1002"))
            unasked = await gateway.request("GET", f"{own}/inbox", key=token("1001", aud="other"))
            elsewhere = await gateway.request("GET", "/v1/tenants/acme/extensions/1001/inbox", key=token("1001"))

    assert (registered.status, preview.status, inbox.status) == (201, 200, 200)
    assert preview.body["decision"]["reason"] == "allowed"
    assert inbox.body == {"items": [], "next": None, "badge": 0}
    assert (foreign.status, unasked.status, elsewhere.status) == (403, 401, 401)
