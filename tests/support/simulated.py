"""Requests to the simulator as a good provider would send them, to be spoilt one part at a time."""

import json
import time
from collections.abc import Mapping
from typing import Any

import jwt

from gateway.simulator.credentials import KEY_ID, PROJECT_ID, TEAM_ID, TOPIC, Credentials
from gateway.simulator.oauth import GRANT_TYPE
from tests.support.h2client import H2Client, Reply

TOKEN = "a1" * 32
SEND_PATH = f"/v1/projects/{PROJECT_ID}/messages:send"
FCM_TOKEN = "android-token-0001"
ALERT: Mapping[str, Any] = {
    "aps": {"alert": {"title": "Missed call", "body": "Alice"}, "sound": "default", "badge": 3, "thread-id": "missed"},
    "pbx": {"kind": "call.missed", "push_id": "p-1", "call_id": "c-1"},
}


def provider_token(
    credentials: Credentials, *, key_id: str = KEY_ID, age_seconds: int = 0, claims: Mapping[str, Any] | None = None
) -> str:
    """A provider token; `claims` replace the right ones."""
    said = {"iss": TEAM_ID, "iat": int(time.time()) - age_seconds, **(claims or {})}
    key = credentials.key_file(key_id if key_id in credentials.provider_keys else KEY_ID).read_text()
    return jwt.encode(said, key, "ES256", headers={"kid": key_id})


def apns_headers(token: str | None, **changes: str | None) -> dict[str, str]:
    """Headers of an alert push; `changes` replace (underscores for hyphens), None removes."""
    headers: dict[str, str | None] = {
        "apns-topic": TOPIC,
        "apns-push-type": "alert",
        "authorization": None if token is None else f"bearer {token}",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


def encoded(document: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


async def push(
    client: H2Client, provider: str | None, *, token: str = TOKEN, payload: Any = ALERT, **changes: Any
) -> Reply:
    """One APNs push; `changes` as of `apns_headers`."""
    return await client.ask(f"/3/device/{token}", apns_headers(provider, **changes), encoded(payload))


def reason_of(reply: Reply) -> str:
    """The `reason` of an APNs error."""
    return str(json.loads(reply.body)["reason"]) if reply.body else ""


def assertion(credentials: Credentials, *, algorithm: str = "RS256", **changes: Any) -> str:
    """A service account's assertion; `changes` replace claims, None removes."""
    account = json.loads(credentials.service_account_file.read_bytes())
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, account["private_key"], algorithm, headers={"kid": account["private_key_id"]})


async def exchange(client: H2Client, signed: str, *, grant_type: str = GRANT_TYPE) -> Reply:
    """Ask the token endpoint."""
    form = f"grant_type={grant_type.replace(':', '%3A')}&assertion={signed}"
    return await client.ask("/token", {"content-type": "application/x-www-form-urlencoded"}, form.encode())


async def access_token(client: H2Client, credentials: Credentials) -> str:
    """A fresh access token."""
    return str(json.loads((await exchange(client, assertion(credentials))).body)["access_token"])


async def send_message(
    client: H2Client, access: str | None, message: Any, *, path: str = SEND_PATH, **request: Any
) -> Reply:
    """One FCM message; `request` holds further top-level fields."""
    headers = {} if access is None else {"authorization": f"Bearer {access}"}
    return await client.ask(path, headers, encoded({"message": message, **request}))


def error_code(reply: Reply) -> str:
    """The FcmError code of an answer; empty: it has none."""
    details = json.loads(reply.body)["error"].get("details", [])
    return next((str(detail["errorCode"]) for detail in details if "errorCode" in detail), "")


def violated_fields(reply: Reply) -> list[str]:
    """Fields that google.rpc.BadRequest names."""
    details = json.loads(reply.body)["error"].get("details", [])
    return [found["field"] for detail in details for found in detail.get("fieldViolations", [])]
