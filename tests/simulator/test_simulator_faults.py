"""Every scripted fault, as its victim sees it."""

import asyncio
import json
import time

import pytest
from pyreqwest.client import ClientBuilder

from gateway.domain.device import Environment
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.faults import (
    Answer,
    Close,
    Fault,
    Frames,
    GoAway,
    HalfOpen,
    Match,
    MaxStreams,
    NoAnswer,
    Reset,
    RstStream,
    StallWindow,
    What,
)
from gateway.simulator.server import Simulator
from gateway.simulator.views import Fate
from tests.support.h2client import PATIENCE_SECONDS, H2Client, open_h2, until
from tests.support.simulated import (
    ALERT,
    FCM_TOKEN,
    TOKEN,
    apns_headers,
    encoded,
    error_code,
    push,
    reason_of,
    send_message,
)

OTHER = "b2" * 32
QUIET_SECONDS = 0.15
"""How long nothing has to happen for "no answer"."""


async def test_status_and_reason_as_scripted_for_as_many_requests(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.script(Answer(status=503, reason="Shutdown", retry_after=7), count=2)
    replies = [await push(apns, bearer) for _ in range(3)]
    assert [(reply.status, reason_of(reply)) for reply in replies] == [(503, "Shutdown"), (503, "Shutdown"), (200, "")]
    assert replies[0].headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        (Answer(status=500, body=""), (500, b"")),
        (Answer(status=400, body="<html>"), (400, b"<html>")),
        (Answer(status=410, reason="Unregistered", timestamp=5), (410, b'{"reason":"Unregistered","timestamp":5}')),
        (Answer(status=200, headers={"X-Odd": "1"}), (200, b"")),
    ],
)
async def test_bodies_as_scripted(
    apns: H2Client, control: SimulatorControl, bearer: str, what: Answer, answer: tuple[int, bytes]
) -> None:
    await control.script(what)
    reply = await push(apns, bearer)
    assert (reply.status, reply.body) == answer
    assert set(what.model_dump()["headers"]) <= {name.title() for name in reply.headers}


async def test_fcm_errors_are_scripted_by_their_code(fcm: H2Client, control: SimulatorControl, access: str) -> None:
    await control.answer_with(401, "THIRD_PARTY_AUTH_ERROR", provider="fcm")
    await control.answer_with(403, "PERMISSION_DENIED", provider="fcm")
    await control.script(Answer(status=429, reason="QUOTA_EXCEEDED", retry_after=30), provider="fcm")
    await control.answer_with(200, provider="fcm")
    replies = [await send_message(fcm, access, {"token": FCM_TOKEN}) for _ in range(4)]
    assert [(reply.status, error_code(reply)) for reply in replies[:3]] == [
        (401, "THIRD_PARTY_AUTH_ERROR"),
        (403, ""),
        (429, "QUOTA_EXCEEDED"),
    ]
    assert replies[2].headers["retry-after"] == "30"
    assert "name" in json.loads(replies[3].body)


@pytest.mark.parametrize(
    ("match", "met"),
    [
        (Match(provider="apns"), True),
        (Match(provider="fcm"), False),
        (Match(token=TOKEN), True),
        (Match(token=OTHER), False),
        (Match(topic="com.example.softphone"), True),
        (Match(topic="com.example.softphone.voip"), False),
        (Match(path="/3/device/a1"), True),
        (Match(path="/v1"), False),
        (Match(environment=Environment.SANDBOX), False),
    ],
)
async def test_a_fault_meets_what_it_matches(
    apns: H2Client, control: SimulatorControl, bearer: str, match: Match, met: bool
) -> None:
    await control.add_fault(Fault(what=Answer(status=500), match=match))
    assert (await push(apns, bearer)).status == (500 if met else 200)


async def test_a_fault_can_let_some_pass_first_and_last_until_deleted(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.add_fault(Fault(what=Answer(status=500), skip=1, count=None))
    assert [(await push(apns, bearer)).status for _ in range(3)] == [200, 500, 500]
    (scripted,) = await control.faults()
    assert (scripted.hits, scripted.remaining) == (2, None)
    await control.clear_faults()
    assert (await push(apns, bearer)).status == 200


async def test_an_answer_can_be_late(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    await control.script(Answer(), delay_ms=80)
    started = time.monotonic()
    assert (await push(apns, bearer)).status == 200
    assert time.monotonic() - started >= 0.08


@pytest.mark.parametrize("deliver", [False, True])
async def test_no_answer_leaves_the_connection_alive(
    apns: H2Client, control: SimulatorControl, bearer: str, deliver: bool
) -> None:
    await push(apns, bearer, token=OTHER)
    await control.script(NoAnswer(), token=TOKEN, deliver=deliver)
    silent = apns.send(f"/3/device/{TOKEN}", apns_headers(bearer), encoded(ALERT))
    assert (await push(apns, bearer, token=OTHER)).status == 200
    done, _ = await asyncio.wait([silent], timeout=QUIET_SECONDS)
    assert not done
    page = await control.pushes()
    (record,) = [item for item in page.items if item.token == TOKEN]
    assert (record.status, record.fate) == (0, Fate.SHOWN if deliver else Fate.REFUSED)


@pytest.mark.parametrize("code", [2, 7, 8, 11])
async def test_one_stream_is_reset_and_the_others_live(
    apns: H2Client, control: SimulatorControl, bearer: str, code: int
) -> None:
    await control.script(RstStream(code=code))
    reply = await push(apns, bearer)
    assert (reply.status, reply.reset) == (0, code)
    assert (await push(apns, bearer)).status == 200


async def test_goaway_below_a_request_leaves_it_unprocessed(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    assert (await push(apns, bearer)).status == 200
    await control.script(GoAway(code=0, debug={"reason": "Shutdown"}))
    reply = await push(apns, bearer)
    await asyncio.wait_for(apns.closed.wait(), PATIENCE_SECONDS)
    assert json.loads(apns.goaway.additional_data) == {"reason": "Shutdown"}
    assert (reply.lost, apns.goaway.last_stream_id) == (True, 1)
    assert [item.fate for item in (await control.pushes()).items] == [Fate.SHOWN, Fate.REFUSED]


@pytest.mark.parametrize(("where", "sent"), [("below", 3), ("above", 2)])
async def test_goaway_above_a_request_answers_it_and_a_good_client_goes_on(
    simulator: Simulator, control: SimulatorControl, bearer: str, where: str, sent: int
) -> None:
    ca, url = simulator.credentials.ca_file.read_bytes(), str(simulator.announcement()["apns_url"])
    client = ClientBuilder().http2_prior_knowledge().no_proxy().add_root_certificate_pem(ca).build()
    await control.script(GoAway.model_validate({"last_stream": where}))
    for _ in range(2):
        post = client.post(f"{url}/3/device/{TOKEN}").headers(apns_headers(bearer)).body_bytes(encoded(ALERT))
        assert (await post.build().send()).status == 200
    await client.close()
    stats = await control.stats()
    assert (stats.pushes, stats.connections[0].total) == (sent, 2)


@pytest.mark.parametrize("what", [Reset(), Close()])
async def test_the_connection_is_gone(apns: H2Client, control: SimulatorControl, bearer: str, what: What) -> None:
    await control.script(what, deliver=True)
    assert (await push(apns, bearer)).lost
    assert apns.closed.is_set()
    phone = await control.phone(TOKEN)
    assert phone is not None
    assert len(phone.shown) == 1


async def test_a_half_open_connection_answers_nothing_any_more(
    apns: H2Client, control: SimulatorControl, simulator: Simulator, bearer: str
) -> None:
    await push(apns, bearer)
    await control.script(HalfOpen())
    silent = [apns.send(f"/3/device/{TOKEN}", apns_headers(bearer), encoded(ALERT)) for _ in range(2)]
    apns.ping()
    done, _ = await asyncio.wait(silent, timeout=QUIET_SECONDS)
    assert (done, apns.pongs, apns.closed.is_set()) == (set(), 0, False)
    async with open_h2(str(simulator.announcement()["apns_url"]), simulator.credentials.ca_file) as another:
        assert (await push(another, bearer)).status == 200


async def test_the_stream_limit_can_be_changed_now(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    await push(apns, bearer)
    await control.add_fault(Fault(what=MaxStreams(limit=3), now=True))
    await until(lambda: apns.streams_of_peer == [1, 1000, 3])
    assert (await push(apns, bearer)).status == 200


async def test_the_stream_limit_can_be_changed_by_a_request(
    fcm: H2Client, control: SimulatorControl, access: str
) -> None:
    await control.script(MaxStreams(limit=7), provider="fcm")
    assert (await send_message(fcm, access, {"token": FCM_TOKEN})).status == 200
    await until(lambda: fcm.streams_of_peer == [100, 7])


@pytest.mark.parametrize("what", [GoAway(), Reset(), Close()])
async def test_every_connection_of_a_provider_can_be_ended_now(
    apns: H2Client, fcm: H2Client, control: SimulatorControl, access: str, what: What
) -> None:
    await asyncio.wait_for(apns.settled.wait(), PATIENCE_SECONDS)
    assert await control.add_fault(Fault(what=what, match=Match(provider="apns"), now=True)) == 0
    await asyncio.wait_for(apns.closed.wait(), PATIENCE_SECONDS)
    assert (await send_message(fcm, access, {"token": FCM_TOKEN})).status == 200
    assert await control.faults() == ()


async def test_a_stalled_window_is_never_refilled(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    await control.script(StallWindow())
    payload = {"aps": {"alert": "x" * 3900}}
    for _ in range(65_535 // 3916 - 1):
        assert (await push(apns, bearer, payload=payload)).status == 200
    assert apns.h2.outbound_flow_control_window < 2 * 3916


async def test_credit_is_given_back_without_a_fault(apns: H2Client, bearer: str) -> None:
    payload = {"aps": {"alert": "x" * 3900}}
    assert {(await push(apns, bearer, payload=payload)).status for _ in range(40)} == {200}


@pytest.mark.parametrize(
    ("shape", "data_frames"),
    [
        (Frames(split=1), 24),
        (Frames(split=10, padding=9), 3),
        (Frames(continuation=True), 1),
        (Frames(continuation=True, padding=3, table_size_update=True), 1),
        (Frames(empty_data=3), 4),
    ],
)
async def test_odd_framing_is_still_lawful(
    apns: H2Client, control: SimulatorControl, bearer: str, shape: Frames, data_frames: int
) -> None:
    await control.script(Answer(status=400, reason="BadPriority", frames=shape))
    reply = await push(apns, bearer)
    assert (reply.status, reply.body, reply.frames) == (400, b'{"reason":"BadPriority"}', data_frames)
    await control.script(Answer(frames=shape))
    assert (await push(apns, bearer)).status == 200
