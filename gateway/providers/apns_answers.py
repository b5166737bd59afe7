"""What Apple's answers mean. A row per reason of "Handling notification responses from APNs".

Apple's body is `{"reason": "..."}`, for 410 with `timestamp`: when it last found the token dead, in milliseconds. The
body may be missing or cut off; then the status alone decides.
"""

from typing import Final

import orjson
from aioapns.common import NotificationResult

from gateway.domain.event import Millis
from gateway.providers.readings import (
    Reading,
    Row,
    Sign,
    Step,
    Verdict,
    accepted,
    indexed,
    reading_of,
    retry_after_seconds,
    row_for,
)

ROWS: Final = (
    Row(400, "BadCollapseId", Verdict.REFUSED, "Longer than 64 bytes: our bug, a repeat has the same id."),
    Row(400, "BadDeviceToken", Verdict.TOKEN_REFUSED, "Malformed, or of the other environment: tried there once."),
    Row(400, "BadExpirationDate", Verdict.REFUSED, "Our bug."),
    Row(400, "BadMessageId", Verdict.REFUSED, "Our bug: the push id is always a UUID."),
    Row(400, "BadPriority", Verdict.REFUSED, "Our bug."),
    Row(400, "BadTopic", Verdict.REFUSED, "The app's topic is wrong: every push would meet it.", Sign.SUSPECT),
    Row(
        400,
        "DeviceTokenNotForTopic",
        Verdict.REFUSED,
        "The token is of another app. On many devices the topic is wrong, so nothing is deleted for it.",
        Sign.SUSPECT,
    ),
    Row(400, "DuplicateHeaders", Verdict.REFUSED, "Our bug."),
    Row(
        400,
        "IdleTimeout",
        Verdict.TRY_LATER,
        "Apple gave the connection up, not the push.",
        Sign.NEUTRAL,
        Step.RECONNECT,
    ),
    Row(400, "InvalidPushType", Verdict.REFUSED, "Our bug."),
    Row(400, "MissingDeviceToken", Verdict.REFUSED, "Our bug: the path has no token."),
    Row(400, "MissingTopic", Verdict.REFUSED, "The certificate names several topics and none came.", Sign.SUSPECT),
    Row(400, "PayloadEmpty", Verdict.REFUSED, "Our bug."),
    Row(
        400,
        "TopicDisallowed",
        Verdict.REFUSED,
        "The credentials may not send to this topic; a certificate may lack `.voip` alone, so alerts go on.",
        Sign.SUSPECT,
    ),
    Row(400, "", Verdict.REFUSED, "Apple calls the request wrong: a repeat would be too."),
    Row(401, "", Verdict.CONFIGURATION, "Not a status of Apple's; something between asks for proof."),
    Row(403, "BadCertificate", Verdict.CONFIGURATION, "The certificate is not accepted."),
    Row(403, "BadCertificateEnvironment", Verdict.CONFIGURATION, "The certificate is of the other environment."),
    Row(403, "BadEnvironmentKeyIdInToken", Verdict.CONFIGURATION, "The key is of the other environment."),
    Row(
        403,
        "ExpiredProviderToken",
        Verdict.CONFIGURATION,
        "Older than an hour by Apple's clock: a new one if ours is 20 minutes old, else our clock is wrong.",
        step=Step.FRESH_CREDENTIAL,
    ),
    Row(403, "Forbidden", Verdict.REFUSED, "Apple: never repeat it.", Sign.SUSPECT),
    Row(403, "InvalidProviderToken", Verdict.CONFIGURATION, "Key, key id or team id do not belong together."),
    Row(403, "MissingProviderToken", Verdict.CONFIGURATION, "No token, and no certificate on the connection."),
    Row(
        403,
        "UnrelatedKeyIdInToken",
        Verdict.TRY_LATER,
        "Another key than the connection's first one: a new connection takes it.",
        step=Step.RECONNECT_AND_REPEAT,
    ),
    Row(403, "", Verdict.CONFIGURATION, "Every 403 of Apple's but Forbidden is about the credentials."),
    Row(404, "BadPath", Verdict.REFUSED, "Our bug, or a wrong `url`.", Sign.SUSPECT),
    Row(404, "", Verdict.REFUSED, "A wrong `url`.", Sign.SUSPECT),
    Row(405, "MethodNotAllowed", Verdict.REFUSED, "Our bug, or a wrong `url`.", Sign.SUSPECT),
    Row(408, "", Verdict.TRY_LATER, "Something between gave up waiting."),
    Row(410, "ExpiredToken", Verdict.TOKEN_GONE, "Dead since `timestamp`; a newer registration stays."),
    Row(410, "Unregistered", Verdict.TOKEN_GONE, "The app was removed; dead since `timestamp`, newer stays."),
    Row(410, "", Verdict.TOKEN_GONE, "410 has no other meaning."),
    Row(413, "PayloadTooLarge", Verdict.REFUSED, "Our bug: payloads are cut to the limit."),
    Row(
        429,
        "TooManyProviderTokenUpdates",
        Verdict.PASSING,
        "The provider token changed too often: the present one is kept, none is made for 20 minutes.",
    ),
    Row(
        429,
        "TooManyRequests",
        Verdict.TRY_LATER,
        "This device got too many: the others are not slowed for it.",
        Sign.WORKS,
    ),
    Row(429, "", Verdict.TRY_LATER, "Taken as TooManyRequests: of this device only.", Sign.WORKS),
    Row(500, "InternalServerError", Verdict.TRY_LATER, "Apple's trouble."),
    Row(503, "ServiceUnavailable", Verdict.TRY_LATER, "Apple's trouble."),
    Row(503, "Shutdown", Verdict.TRY_LATER, "This server stops; the next one takes it.", step=Step.RECONNECT),
)
_TABLE: Final = indexed(ROWS)


def heard(status: int, body: bytes, *, apns_id: str) -> NotificationResult:
    """Apple's answer in aioapns' words. Pure, total: any bytes will do."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    said = document if isinstance(document, dict) else {}
    reason, since = said.get("reason"), said.get("timestamp")
    return NotificationResult(
        notification_id=apns_id,
        status=str(status),
        description=reason if isinstance(reason, str) else None,
        timestamp=int(since) if isinstance(since, int | float) and not isinstance(since, bool) and since > 0 else None,
    )


def read(result: NotificationResult, *, retry_after: str | None, now: Millis) -> Reading:
    """What Apple's answer means. `retry_after`: that header's value, which Apple does not document."""
    if result.is_successful:
        return accepted(result.notification_id)
    reason = result.description or ""
    row = row_for(_TABLE, int(result.status), reason)
    after = retry_after_seconds(retry_after, now)
    return reading_of(row, since=result.timestamp, after_seconds=after, said=reason)
