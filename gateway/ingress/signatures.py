"""Who posted this? Signatures over the raw bytes of a body.

Standard Webhooks 1.0.0 (standardwebhooks.com) for the generic dialect, `X-Signature` for Yeastar P-Series. Every
failure, whatever its cause, is the same `BadProof`; every comparison takes the same time for every content, and every
secret is tried.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from gateway.domain.errors import BadProof
from gateway.domain.event import Millis

TOLERANCE_SECONDS = 300
"""How far a webhook's timestamp may be from our clock, either way; the value of the reference libraries."""

MAX_ID_LENGTH = 256
"""Longest `webhook-id`, in characters."""

_PREFIX = "whsec_"
_SECONDS = re.compile(r"[0-9]{1,12}")


def standard_webhook_key(secret: str) -> bytes:
    """The key that a Standard Webhooks secret stands for: base64, with or without `whsec_` and padding.

    Raises `ValueError` when it is not base64, or empty: a passphrase is not taken for a key, because some passphrases
    happen to be base64 and the two readings of them would differ.
    """
    encoded = secret.strip().removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError as error:
        raise ValueError("a Standard Webhooks secret is base64, with or without whsec_ before it") from error
    if not key:
        raise ValueError("a Standard Webhooks secret may not be empty")
    return key


def sign_standard_webhook(secret: str, message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """The `webhook-signature` of a message: `v1,` and base64. `ValueError` as `standard_webhook_key`."""
    return _standard_signature(standard_webhook_key(secret), message_id, str(timestamp_seconds), body)


def verify_standard_webhook(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: Millis) -> str:
    """The `webhook-id` of a message that one of `secrets` signed within `TOLERANCE_SECONDS` of `now`.

    `headers` has lower-case names. The header may hold several signatures, separated by blanks; those of other
    versions are passed over. A secret that is no Standard Webhooks secret proves nothing. Raises `BadProof`.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not _is_id(message_id) or not _SECONDS.fullmatch(timestamp):
        raise BadProof
    if abs(now - int(timestamp) * 1000) > TOLERANCE_SECONDS * 1000:
        raise BadProof
    expected = [_standard_signature(key, message_id, timestamp, body) for key in _keys(secrets)]
    if not _any_equal(expected, headers.get("webhook-signature", "").split()):
        raise BadProof
    return message_id


def sign_yeastar(secret: str, body: bytes) -> str:
    """`X-Signature` as a P-Series PBX sends it: base64 of HMAC-SHA256 over the raw body, keyed by the secret's text.

    Yeastar P-Series developer guide, "Monitor events via webhook".
    """
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def verify_yeastar(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> None:
    """Raises `BadProof` unless one of `secrets` made the `x-signature` of `body`; `headers` has lower-case names.

    The scheme has no timestamp: a repeat is recognised by its content alone.
    """
    expected = [sign_yeastar(secret, body) for secret in secrets if secret]
    if not _any_equal(expected, [headers.get("x-signature", "").strip()]):
        raise BadProof


def _is_id(message_id: str) -> bool:
    # An id with dots (Asterisk's unique ids have one) is taken: were the boundaries between id, timestamp and body
    # moved, a body that begins with digits and a dot would be left, and no dialect reads that.
    return 0 < len(message_id) <= MAX_ID_LENGTH and message_id.isascii() and message_id.isprintable()


def _keys(secrets: Sequence[str]) -> list[bytes]:
    keys = []
    for secret in secrets:
        try:
            keys.append(standard_webhook_key(secret))
        except ValueError:
            continue
    return keys


def _standard_signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _any_equal(expected: Sequence[str], given: Sequence[str]) -> bool:
    """Whether one of `given` is one of `expected`; looks at all of them, each in constant time."""
    found = False
    for signature in expected:
        for claim in given:
            found |= hmac.compare_digest(signature.encode(), claim.encode(errors="replace"))
    return found
