"""The vendors' vocabulary as others speak it: aioapns and firebase-admin, used as their READMEs show."""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import firebase_admin
import firebase_admin.credentials
import firebase_admin.messaging
import pytest
from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsTLSClientProtocol

from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.credentials import KEY_ID, TEAM_ID, TOPIC
from gateway.simulator.faults import RstStream
from gateway.simulator.server import Simulator
from gateway.simulator.views import PhoneState
from tests.support.simulated import FCM_TOKEN, TOKEN

# firebase-admin's functions carry no types.
_firebase: Any = firebase_admin
messaging: Any = firebase_admin.messaging


@pytest.fixture
async def aioapns_client(simulator: Simulator) -> AsyncIterator[APNs]:
    class ToSimulator(APNsTLSClientProtocol):
        APNS_SERVER = "127.0.0.1"
        APNS_PORT = simulator.apns.port

    client = APNs(
        key=simulator.credentials.key_file().read_text(),
        key_id=KEY_ID,
        team_id=TEAM_ID,
        topic=TOPIC,
        ssl_context=ssl.create_default_context(cafile=str(simulator.credentials.ca_file)),
    )
    client.pool.protocol_class = ToSimulator
    yield client
    for connection in list(client.pool.connections):
        connection.close()
    await asyncio.sleep(0)


def request_to(token: str) -> NotificationRequest:
    """The README's notification."""
    return NotificationRequest(
        device_token=token,
        message={"aps": {"alert": "Hello from APNs", "badge": 1}},
        notification_id=str(uuid.uuid4()),
        time_to_live=3,
        push_type=PushType.ALERT,
    )


async def test_aioapns_pushes_and_reads_the_reasons(aioapns_client: APNs, control: SimulatorControl) -> None:
    assert (await aioapns_client.send_notification(request_to(TOKEN))).is_successful
    phone = await control.set_phone(TOKEN, state=PhoneState.UNREGISTERED, since=1_700_000_000_000)
    assert [shown.body for shown in phone.shown] == ["Hello from APNs"]
    result = await aioapns_client.send_notification(request_to(TOKEN))
    assert (result.status, result.description, result.timestamp) == ("410", "Unregistered", 1_700_000_000_000)


async def test_aioapns_waits_for_ever_on_a_reset_stream(aioapns_client: APNs, control: SimulatorControl) -> None:
    """The defect that keeps it out of the data path; when this fails, it may be looked at again."""
    assert (await aioapns_client.send_notification(request_to(TOKEN))).is_successful
    await control.script(RstStream())
    waiting = asyncio.create_task(aioapns_client.send_notification(request_to(TOKEN)))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.fixture
def firebase_app(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[firebase_admin.App]:
    ca_file = str(simulator.credentials.ca_file)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    url = f"https://127.0.0.1:{urlsplit(str(simulator.announcement()['fcm_url'])).port}/v1/projects/{{0}}/messages:send"
    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", url)
    certificate = _firebase.credentials.Certificate(str(simulator.credentials.service_account_file))
    app = _firebase.initialize_app(certificate, name="simulated")
    yield app
    _firebase.delete_app(app)


async def test_firebase_admin_sends_and_raises_the_right_errors(
    firebase_app: firebase_admin.App, control: SimulatorControl
) -> None:
    message = messaging.Message(
        fid=FCM_TOKEN,
        notification=messaging.Notification(title="Missed call", body="Alice"),
        data={"kind": "call.missed"},
    )
    name = await asyncio.to_thread(messaging.send, message, app=firebase_app)
    assert name.startswith("projects/simulated-project/messages/")
    phone = await control.set_phone(FCM_TOKEN, state=PhoneState.UNREGISTERED)
    assert [(shown.title, shown.kind) for shown in phone.shown] == [("Missed call", "call.missed")]
    with pytest.raises(messaging.UnregisteredError):
        await asyncio.to_thread(messaging.send, message, app=firebase_app)
    await control.set_phone(FCM_TOKEN, state=PhoneState.SENDER_MISMATCH)
    with pytest.raises(messaging.SenderIdMismatchError):
        await asyncio.to_thread(messaging.send, message, app=firebase_app)
    await control.answer_with(429, "QUOTA_EXCEEDED")  # with Retry-After it would wait and repeat inside the call
    with pytest.raises(messaging.QuotaExceededError):
        await asyncio.to_thread(messaging.send, message, app=firebase_app)
