"""Google's own library takes each of our messages and encodes it to the same JSON."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from firebase_admin import messaging

from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import Privacy
from tests.support.payload_examples import fcm_message, push_of

google: Any = messaging
"""Untyped, as the library is."""


def as_google_writes_it(message: dict[str, Any]) -> dict[str, Any]:
    """The message built and validated by firebase-admin, with a target that is taken away again.

    The library knows priorities in lower case only; the API's enum is upper case and takes both.
    """
    android: dict[str, Any] = message["android"]
    shown: dict[str, Any] | None = android.get("notification")
    built = google.Message(
        topic="all",
        data=message["data"],
        notification=google.Notification(**message["notification"]) if "notification" in message else None,
        android=google.AndroidConfig(
            priority=android["priority"].lower(),
            ttl=timedelta(seconds=int(android["ttl"].removesuffix("s"))),
            collapse_key=android.get("collapse_key"),
            notification=google.AndroidNotification(**shown) if shown else None,
        ),
    )
    encoded: dict[str, Any] = orjson.loads(str(built))
    del encoded["topic"]
    encoded["android"]["priority"] = encoded["android"]["priority"].upper()
    return encoded


@pytest.mark.parametrize("privacy", Privacy)
@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("kind", PushKind)
def test_every_message_is_one_that_firebase_admin_would_send(kind: PushKind, quiet: bool, privacy: Privacy) -> None:
    message = fcm_message(push_of(kind, quiet=quiet), privacy=privacy)
    assert as_google_writes_it(message) == message
