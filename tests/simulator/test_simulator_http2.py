"""HTTP/2 and TLS as clients meet them: limits, flow control, broken peers, HTTP/1.1."""

import asyncio
import ssl

import aiohttp
import pytest

from gateway.simulator import frames
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.faults import (
    Answer,
    Close,
    GoAway,
    MaxStreams,
    NoAnswer,
    Reset,
    RstStream,
    StallWindow,
    What,
)
from gateway.simulator.frames import Response
from gateway.simulator.header_decoder import HeaderDecoder
from gateway.simulator.server import Simulator
from tests.support.h2client import PATIENCE_SECONDS, H2Client, open_h2, until
from tests.support.simulated import (
    ALERT,
    FCM_TOKEN,
    SEND_PATH,
    TOKEN,
    apns_headers,
    assertion,
    encoded,
    push,
    reason_of,
)


async def test_a_client_without_alpn_is_understood(simulator: Simulator, bearer: str) -> None:
    async with open_h2(str(simulator.announcement()["apns_url"]), simulator.credentials.ca_file, alpn=False) as client:
        assert (await push(client, bearer)).status == 200


async def test_streams_over_the_limit_are_refused_and_counted(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.script(Answer(), delay_ms=100)
    await asyncio.wait_for(apns.settled.wait(), PATIENCE_SECONDS)
    apns.ignore_stream_limit()
    sent = [apns.send(f"/3/device/{TOKEN}", apns_headers(bearer), encoded(ALERT)) for _ in range(3)]
    replies = await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_SECONDS)
    assert [(reply.status, reply.reset) for reply in replies] == [(200, None), (0, 7), (0, 7)]
    stats = await control.stats()
    assert (stats.violations, stats.max_open_streams) == ({"streams_over_limit": 2}, 1)


@pytest.mark.parametrize("options", [{"over_limit": "goaway"}], indirect=True)
async def test_streams_over_the_limit_can_cost_the_connection(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.script(NoAnswer())
    await asyncio.wait_for(apns.settled.wait(), PATIENCE_SECONDS)
    apns.ignore_stream_limit()
    sent = [apns.send(f"/3/device/{TOKEN}", apns_headers(bearer), encoded(ALERT)) for _ in range(2)]
    replies = await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_SECONDS)
    assert [reply.lost for reply in replies] == [True, True]
    assert (apns.goaway.error_code, apns.goaway.last_stream_id) == (1, 1)
    assert (await control.stats()).violations == {"streams_over_limit": 1}


async def test_a_lower_limit_counts_once_it_is_acknowledged(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await push(apns, bearer)
    await control.script(MaxStreams(limit=0))
    assert (await push(apns, bearer)).status == 200
    apns.ping()
    await until(lambda: apns.pongs > 0)
    apns.ignore_stream_limit()
    assert (await push(apns, bearer)).reset == 7


async def test_ping_is_answered(apns: H2Client, bearer: str) -> None:
    apns.ping()
    await push(apns, bearer)
    assert apns.pongs == 1


async def test_a_cancelled_stream_is_counted_and_frees_its_place(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.script(NoAnswer())
    await asyncio.wait_for(apns.settled.wait(), PATIENCE_SECONDS)
    apns.send(f"/3/device/{TOKEN}", apns_headers(bearer), encoded(ALERT))
    apns.cancel(1)
    assert (await push(apns, bearer, token="b2" * 32)).status == 200
    assert (await control.stats()).cancelled_streams == 1


async def test_error_bodies_wait_for_the_clients_credit(
    simulator: Simulator, control: SimulatorControl, bearer: str
) -> None:
    await control.script(Answer(status=400, body="x" * 60_000), count=2)
    async with open_h2(str(simulator.announcement()["apns_url"]), simulator.credentials.ca_file) as client:
        first = await push(client, bearer)
        second = await push(client, bearer)
    assert (len(first.body), len(second.body)) == (60_000, 60_000)


@pytest.mark.parametrize(
    ("sent", "violation", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n" + bytes(20), "no_http2_preface", 1),
        (frames.PREFACE + b"\xff\xff\xff" + bytes(6), "frame_too_large", 6),
        (frames.PREFACE + frames.frame(9, 4, 1, b"x"), "continuation", 1),
        (frames.PREFACE + frames.frame(1, 0, 1, b"\x88") + frames.frame(6, 0, 0, bytes(8)), "continuation", 1),
        (frames.PREFACE + frames.frame(1, 4, 1, b"\xff\xff\xff\xff\xff"), "header_compression", 9),
        (frames.PREFACE + frames.frame(1, 5, 2, b"\x82\x84"), "stream_id_reused", 5),
        (frames.PREFACE + frames.frame(1, 0xC, 1, b"\xff\x82"), "padding", 1),
        (frames.PREFACE + frames.frame(4, 0, 0, b"short"), "malformed_frame", 6),
        (frames.PREFACE + frames.frame(8, 0, 0, b"\x7f\xff\xff\xff"), "window_overflow", 3),
    ],
)
async def test_a_peer_that_breaks_the_protocol_gets_goaway(
    simulator: Simulator, sent: bytes, violation: str, code: int
) -> None:
    context = ssl.create_default_context(cafile=str(simulator.credentials.ca_file))
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.apns.port, ssl=context)
    writer.write(sent)
    answered = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    goaway = answered[answered.index(violation.encode()) - 8 :]
    assert int.from_bytes(goaway[4:8], "big") == code
    assert simulator.apns.around.counts.violations == {violation: 1}
    writer.transport.abort()


async def test_sending_beyond_the_window_is_a_flow_control_error(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.script(StallWindow())
    await push(apns, bearer)
    apns.raw(frames.frame(0, 0, 1, bytes(16_384)) * 4)
    await asyncio.wait_for(apns.closed.wait(), PATIENCE_SECONDS)
    assert apns.goaway.error_code == 3
    assert (await control.stats()).violations == {"flow_control": 1}


@pytest.mark.parametrize("size", [5, 126, 127, 128, 255, 300, 20_000])
def test_header_values_of_every_length_can_be_read_back(size: int) -> None:
    block = frames.header_block(Response(403, ((b"x-long", b"v" * size),)))
    assert HeaderDecoder(100_000).request(block).headers == {":status": "403", "x-long": "v" * size}


async def test_apns_does_not_speak_http1(simulator: Simulator) -> None:
    context = ssl.create_default_context(cafile=str(simulator.credentials.ca_file))
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.apns.port, ssl=context)
    writer.write(b"POST /3/device/aa HTTP/1.1\r\nhost: x\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
    writer.close()
    assert simulator.apns.around.counts.violations == {"http1": 1}


async def post_http1(simulator: Simulator, access: str, *, path: str = SEND_PATH, body: bytes = b"") -> tuple[int, str]:
    """One request over HTTP/1.1, as aiohttp and requests speak it."""
    context = ssl.create_default_context(cafile=str(simulator.credentials.ca_file))
    url = str(simulator.announcement()["fcm_url"]) + path
    headers = {"authorization": f"Bearer {access}", "content-type": "application/x-www-form-urlencoded"}
    timeout = aiohttp.ClientTimeout(total=1)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url, data=body, headers=headers, ssl=context) as response,
    ):
        return response.status, await response.text()


MESSAGE = encoded({"message": {"token": FCM_TOKEN, "notification": {"title": "T"}}})


async def test_fcm_and_its_token_endpoint_speak_http1_too(simulator: Simulator, access: str) -> None:
    form = f"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={assertion(simulator.credentials)}"
    assert (await post_http1(simulator, "", path="/token", body=form.encode()))[0] == 200
    assert (await post_http1(simulator, access, body=MESSAGE))[0] == 200
    assert (await post_http1(simulator, "wrong", body=MESSAGE))[0] == 401


@pytest.mark.parametrize("what", [NoAnswer(), Reset(), Close(), RstStream(), GoAway()])
async def test_faults_that_swallow_an_answer_work_over_http1(
    simulator: Simulator, control: SimulatorControl, access: str, what: What
) -> None:
    await control.script(what, deliver=True)
    with pytest.raises((aiohttp.ClientError, TimeoutError)):
        await post_http1(simulator, access, body=MESSAGE)
    phone = await control.phone(FCM_TOKEN)
    assert phone is not None
    assert len(phone.shown) == 1
    assert (await post_http1(simulator, access, body=MESSAGE))[0] == 200


@pytest.mark.parametrize("what", [Answer(), MaxStreams(limit=1), StallWindow(), GoAway(last_stream="above")])
async def test_other_faults_let_the_answer_through_over_http1(
    simulator: Simulator, control: SimulatorControl, access: str, what: What
) -> None:
    await control.script(what, delay_ms=5)
    assert (await post_http1(simulator, access, body=MESSAGE))[0] == 200


async def test_scripted_answers_work_over_http1(simulator: Simulator, control: SimulatorControl, access: str) -> None:
    await control.answer_with(404, "UNREGISTERED")
    status, text = await post_http1(simulator, access, body=MESSAGE)
    assert (status, "UNREGISTERED" in text) == (404, True)


async def test_a_large_body_is_counted_but_not_kept(apns: H2Client, bearer: str) -> None:
    headers = apns_headers(bearer)
    await asyncio.wait_for(apns.settled.wait(), PATIENCE_SECONDS)
    reply = await apns.ask(f"/3/device/{TOKEN}", headers, encoded({"aps": {"alert": "x" * 65_000}}))
    assert reason_of(reply) == "PayloadTooLarge"
