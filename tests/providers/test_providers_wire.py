"""Faults of the connection: each push ends in the right outcome within its time, and the others do not suffer."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import (
    Accepted,
    Answer,
    AppTrouble,
    NotSent,
    Refused,
    TokenGone,
    TryLater,
    Unknown,
)
from gateway.providers import apns
from gateway.providers.circuit import CircuitLimits
from gateway.providers.http2 import GRACE_SECONDS, Answered, open_wire
from gateway.providers.senders import ProviderOptions
from gateway.providers.wire_client import WireSettings
from gateway.providers.wire_errors import OF_CONNECTING, OF_OUR_OWN, OF_THE_CONNECTION
from gateway.simulator import faults
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.process import SimulatorProcess
from tests.support.provider_rig import Rig, a_push, android_app, ios_app, rig_of, within
from tests.support.provider_rig import simulator_in_background as background

SMALL = WireSettings(
    keep_headers=apns.KEEP_HEADERS,
    request_seconds=1.2,
    connect_seconds=1.0,
    hold_seconds=1.0,
    canary_patience_seconds=0.1,
    ping_after_seconds=0.3,
    ping_seconds=0.2,
    replace_after_timeouts=5,
)
PATIENT = CircuitLimits(failures_in_a_row=10_000, window=10_000)
OPTIONS = ProviderOptions(apns_wire=SMALL, fcm_wire=replace(SMALL, connections=2, streams=90), circuit=PATIENT)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """One that ends a connection which opens more streams than it announced, as Apple does."""
    with background(tmp_path_factory.mktemp("simulator"), over_limit="goaway") as running:
        yield running


@pytest.fixture
async def control(simulator: SimulatorProcess) -> AsyncIterator[SimulatorControl]:
    async with simulator.control() as client:
        await client.reset()
        yield client


@pytest.fixture
async def ios(simulator: SimulatorProcess) -> AsyncIterator[Rig]:
    async with rig_of(ios_app(simulator), OPTIONS) as rig:
        yield rig


@pytest.fixture
async def android(simulator: SimulatorProcess) -> AsyncIterator[Rig]:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        yield rig


async def with_others(rig: Rig, control: SimulatorControl, what: faults.What) -> tuple[Answer, list[Answer]]:
    """One push that meets the fault among forty that do not, on a connection in use."""
    assert isinstance((await rig.send(rig.phone())).outcome, Accepted)
    victim = rig.phone()
    await control.script(what, token=victim.token.reveal(), count=None)
    others = asyncio.create_task(rig.burst(40))
    answer = await rig.send(victim)
    return answer, await others


INTERNAL, REFUSED, CANCEL, CALM = 2, 7, 8, 11

OF_ONE_STREAM: list[tuple[faults.What, object]] = [
    (faults.RstStream(code=INTERNAL), Unknown(reason="stream_reset")),
    (faults.RstStream(code=CANCEL), Unknown(reason="stream_reset")),
    (faults.RstStream(code=CALM), Unknown(reason="stream_reset")),
    (faults.RstStream(code=REFUSED), NotSent(reason="refused_stream")),
    (faults.NoAnswer(), Unknown(reason="timeout")),
    (faults.Answer(status=400, body=""), Refused(reason="http_400")),
    (faults.Answer(status=410, body=""), TokenGone(reason="http_410")),
    (faults.Answer(status=503, body="<html>busy</html>"), TryLater(reason="http_503")),
    (faults.Answer(status=500, body="x" * 200_000), TryLater(reason="http_500")),
    (
        faults.Answer(status=410, reason="Unregistered", timestamp=1_790_000_000_000, frames=faults.Frames(split=1)),
        TokenGone(reason="Unregistered", since=1_790_000_000_000),
    ),
    (
        faults.Answer(
            status=429,
            reason="TooManyRequests",
            frames=faults.Frames(padding=40, continuation=True, empty_data=3, table_size_update=True),
        ),
        TryLater(reason="TooManyRequests"),
    ),
]


@pytest.mark.parametrize(("what", "outcome"), OF_ONE_STREAM, ids=lambda value: repr(value)[:60])
async def test_a_fault_of_one_stream_touches_no_other(
    ios: Rig, control: SimulatorControl, what: faults.What, outcome: object
) -> None:
    answer, others = await with_others(ios, control, what)

    assert answer.outcome == outcome
    assert Counter(type(other.outcome) for other in others) == {Accepted: 40}
    (production, *_) = (await control.stats()).connections
    assert production.open <= 1
    assert isinstance((await ios.send(ios.phone())).outcome, Accepted)


OF_THE_WHOLE_CONNECTION: list[tuple[faults.What, tuple[str, ...]]] = [
    (faults.Reset(), ("connection_lost",)),
    (faults.Close(), ("connection_lost",)),
    (faults.HalfOpen(), ("ping_timeout", "timeout")),
    (faults.GoAway(code=INTERNAL, debug={"reason": "Shutdown"}), ("goaway", "connection_lost")),  # who is read first?
    (faults.GoAway(code=CALM, close=False), ("goaway",)),
]


@pytest.mark.parametrize(("what", "reasons"), OF_THE_WHOLE_CONNECTION, ids=lambda value: repr(value)[:60])
async def test_a_lost_connection_is_replaced_and_nothing_surely_unsent_is_called_unknown(
    ios: Rig, control: SimulatorControl, what: faults.What, reasons: tuple[str, ...]
) -> None:
    answer, others = await with_others(ios, control, what)

    assert isinstance(answer.outcome, NotSent | Unknown)
    assert answer.outcome.reason in reasons
    assert isinstance(answer.outcome, NotSent) is (answer.outcome.reason == "goaway")
    assert all(isinstance(other.outcome, Accepted | NotSent | Unknown) for other in others)
    assert Counter(type(other.outcome) for other in await ios.burst(100)) == {Accepted: 100}


@pytest.mark.parametrize("what", [faults.GoAway(), faults.GoAway(last_stream="above")], ids=["below", "above"])
async def test_a_server_that_says_farewell_politely_costs_next_to_nothing(
    ios: Rig, control: SimulatorControl, what: faults.What
) -> None:
    phone = ios.phone()
    assert isinstance((await ios.send(phone)).outcome, Accepted)
    await control.script(what, token=phone.token.reveal())

    assert isinstance((await ios.send(phone)).outcome, Accepted)
    counts = Counter(type(answer.outcome) for answer in await ios.burst(50))
    assert counts[Accepted] >= 40  # the first ones on the new connection are past the gate


async def test_a_stream_refused_once_is_sent_again_within_the_same_attempt(ios: Rig, control: SimulatorControl) -> None:
    phone = ios.phone()
    await control.script(faults.RstStream(code=REFUSED), token=phone.token.reveal())

    assert isinstance((await ios.send(phone)).outcome, Accepted)


@pytest.mark.parametrize("count", [50, 300, 1000])
async def test_a_cold_burst_opens_no_more_streams_than_apple_allows(
    ios: Rig, control: SimulatorControl, count: int
) -> None:
    answers = await ios.burst(count)

    assert Counter(type(answer.outcome) for answer in answers) == {Accepted: count}
    stats = await control.stats()
    assert stats.violations == {}
    assert [(one.listener, one.total) for one in stats.connections if one.total] == [("apns", 1)]


async def test_a_burst_after_a_lost_connection_opens_no_more_streams_than_apple_allows(
    ios: Rig, control: SimulatorControl
) -> None:
    for _ in range(3):
        assert Counter(type(answer.outcome) for answer in await ios.burst(200)) == {Accepted: 200}
        phone = ios.phone()
        await control.script(faults.Reset(), token=phone.token.reveal())
        await ios.send(phone)

    assert (await control.stats()).violations == {}


async def test_a_cold_burst_to_google_stays_within_its_streams(android: Rig, control: SimulatorControl) -> None:
    answers = await android.burst(500)

    assert Counter(type(answer.outcome) for answer in answers) == {Accepted: 500}
    stats = await control.stats()
    assert stats.violations == {}
    assert stats.max_open_streams <= 90
    assert stats.oauth_tokens == 1


async def test_a_swallowed_first_request_does_not_hold_up_the_others(android: Rig, control: SimulatorControl) -> None:
    swallowed = android.phone()
    await control.script(faults.NoAnswer(), token=swallowed.token.reveal(), count=None)
    first = asyncio.create_task(android.send(swallowed))
    await asyncio.sleep(0)

    with within(1.0):
        answers = await android.burst(50)

    assert Counter(type(answer.outcome) for answer in answers) == {Accepted: 50}
    assert (await first).outcome == Unknown(reason="timeout")


async def test_a_swallowed_first_request_to_apple_moves_the_others_to_the_other_connection(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(ios_app(simulator), replace(OPTIONS, apns_wire=replace(SMALL, connections=2))) as rig:
        swallowed = rig.phone()
        await control.script(faults.NoAnswer(), token=swallowed.token.reveal(), count=None)
        first = asyncio.create_task(rig.send(swallowed))
        await asyncio.sleep(0)

        answers = await rig.burst(50)

        assert Counter(type(answer.outcome) for answer in answers) == {Accepted: 50}
        assert (await first).outcome == Unknown(reason="timeout")


async def test_a_limit_of_streams_that_falls_and_rises_loses_nothing(ios: Rig, control: SimulatorControl) -> None:
    await ios.send(ios.phone())
    for limit in (1, 100, 3, 1000):
        await control.add_fault(faults.Fault(what=faults.MaxStreams(limit=limit), now=True))
        assert Counter(type(answer.outcome) for answer in await ios.burst(60)) == {Accepted: 60}


async def test_a_connection_that_only_answers_pings_is_replaced(ios: Rig, control: SimulatorControl) -> None:
    assert isinstance((await ios.send(ios.phone())).outcome, Accepted)
    await control.add_fault(faults.Fault(what=faults.StallWindow(), now=True))
    for _ in range(12):
        answers = await ios.burst(60)
        if any(answer.outcome == Unknown(reason="timeout") for answer in answers):
            break
    else:
        pytest.fail("the window never ran out")

    assert Counter(type(answer.outcome) for answer in await ios.burst(100)) == {Accepted: 100}
    assert [one.total for one in (await control.stats()).connections if one.listener == "apns"] == [2]


async def test_a_lost_answer_is_repeated_under_the_same_id_and_shows_once(ios: Rig, control: SimulatorControl) -> None:
    phone, push = ios.phone(), a_push()
    await control.script(faults.NoAnswer(), token=phone.token.reveal(), deliver=True)

    assert (await ios.send(phone, push)).outcome == Unknown(reason="timeout")
    assert (await ios.send(phone, push)).outcome == Accepted(provider_id=push.push_id)

    seen = await control.wait_for_phone(phone.token.reveal(), lambda it: it.received_count == 2)
    assert len(seen.shown) == 1


async def test_cancelled_sends_leave_the_connection_and_the_circuit_usable(ios: Rig, control: SimulatorControl) -> None:
    await ios.send(ios.phone())
    await control.script(faults.Answer(), provider="apns", count=None, delay_ms=300)
    tasks = [asyncio.create_task(ios.send(ios.phone())) for _ in range(100)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    await control.clear_faults()

    assert {type(end) for end in ended} == {asyncio.CancelledError}
    assert Counter(type(answer.outcome) for answer in await ios.burst(100)) == {Accepted: 100}


async def test_a_cancelled_probe_lets_the_next_one_through(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    limits = CircuitLimits(configuration_pause=50)
    async with rig_of(ios_app(simulator), ProviderOptions(apns_wire=SMALL, circuit=limits)) as rig:
        await control.answer_with(403, "InvalidProviderToken", provider="apns")
        assert isinstance((await rig.send(rig.phone())).outcome, AppTrouble)
        await asyncio.sleep(0.06)
        silent = rig.phone()
        await control.script(faults.NoAnswer(), token=silent.token.reveal())
        probe = asyncio.create_task(rig.send(silent))
        await asyncio.sleep(0.05)
        assert rig.sender.health().circuit == "half_open"
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe

        assert isinstance((await rig.send(rig.phone())).outcome, Accepted)


async def test_what_cannot_be_reached_is_not_sent_and_soon_keeps_the_pushes(simulator: SimulatorProcess) -> None:
    app = ios_app(simulator, url="https://127.0.0.1:1")
    async with rig_of(app, replace(OPTIONS, circuit=CircuitLimits())) as rig:
        assert (await rig.send(rig.phone())).outcome == NotSent(reason="connect_failed")
        assert {type(answer.outcome) for answer in await rig.burst(100)} <= {NotSent, AppTrouble}
        kept = (await rig.send(rig.phone())).outcome
        assert isinstance(kept, AppTrouble)
        assert (kept.reason, kept.configuration) == ("connect_failed", False)


async def test_a_server_of_an_unknown_authority_is_not_spoken_to(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(ios_app(simulator, ca_file=None), OPTIONS) as rig:
        assert (await rig.send(rig.phone())).outcome == NotSent(reason="connect_failed")
    assert (await control.stats()).pushes == 0


async def test_a_server_that_never_finishes_tls_costs_the_connect_timeout_and_no_more() -> None:
    never = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await never.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with open_wire(replace(SMALL, connect_seconds=0.2)) as wire:
            with within(1.0):
                answers = await asyncio.gather(*(wire.post(url, {}, b"{}") for _ in range(50)))
        never.set()
        await asyncio.sleep(GRACE_SECONDS)
    assert NotSent(reason="connect_timeout") in answers
    assert set(answers) <= {NotSent(reason="connect_timeout"), NotSent(reason="connect_failed")}


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("::::", {}),
        ("https://127.0.0.1:1/", {"apns-id": "a\nb"}),
        ("ftp://127.0.0.1/", {}),
        ("http://127.0.0.1:1/", {}),
    ],
)
async def test_what_no_request_can_be_made_of_is_unsendable(url: str, headers: dict[str, str]) -> None:
    async with open_wire(SMALL) as wire:
        assert await wire.post(url, headers, b"") == NotSent(reason="unsendable")
        assert await wire.post("https://127.0.0.1:1/", {}, b"", unindexed=headers) in {
            NotSent(reason="unsendable"),
            NotSent(reason="connect_failed"),
        }
    await asyncio.sleep(GRACE_SECONDS)


async def test_more_than_the_cap_waits_and_is_then_not_sent(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    ca_pem = simulator.ca_file.read_bytes()
    settings = replace(SMALL, ca_pem=ca_pem, streams=4, slot_seconds=0.1, opens=lambda status: True)
    async with open_wire(settings) as wire:
        url = f"{simulator.fcm_url}/v1/projects/x/messages:send"
        assert isinstance(await wire.post(url, {}, b"{}"), Answered)
        await control.script(faults.Answer(), provider="fcm", count=None, delay_ms=500)
        answers = await asyncio.gather(*(wire.post(url, {}, b"{}") for _ in range(10)))
    await asyncio.sleep(GRACE_SECONDS)
    assert Counter(type(answer) for answer in answers) == {Answered: 4, NotSent: 6}
    assert NotSent(reason="busy") in answers


@pytest.mark.parametrize(("host", "expected"), [("apns.test.invalid", NotSent), ("localhost", Answered)])
async def test_a_host_leads_where_it_is_told_to(simulator: SimulatorProcess, host: str, expected: type) -> None:
    port = int(simulator.apns_url.rsplit(":", 1)[1])
    settings = replace(SMALL, ca_pem=simulator.ca_file.read_bytes(), resolve=((host, "127.0.0.1", port),))
    async with open_wire(settings) as wire:
        answer = await wire.post(f"https://{host}/3/device/00", {}, b"{}")
    await asyncio.sleep(GRACE_SECONDS)
    assert isinstance(answer, expected)


async def test_a_name_without_an_address_is_not_sent() -> None:
    async with open_wire(SMALL) as wire:
        assert await wire.post("https://apns.test.invalid/", {}, b"") == NotSent(reason="dns_failed")
    await asyncio.sleep(GRACE_SECONDS)


@given(st.floats(0.1, 30), st.floats(0.1, 30))
def test_a_request_timeout_not_above_the_connect_timeout_is_no_setting(request: float, connect: float) -> None:
    if request > connect:
        WireSettings(request_seconds=request, connect_seconds=connect)
    else:
        with pytest.raises(ValueError, match="above the connect timeout"):
            WireSettings(request_seconds=request, connect_seconds=connect)


def test_a_trouble_is_ours_the_connections_or_of_connecting_and_never_two_of_them() -> None:
    assert len(OF_OUR_OWN | OF_THE_CONNECTION | OF_CONNECTING) == 5 + 4 + 3


async def test_a_plain_asyncio_program_that_ends_at_once_ends_well(simulator: SimulatorProcess, tmp_path: Path) -> None:
    program = tmp_path / "brief.py"
    program.write_text(
        "import asyncio, pathlib, sys\n"
        "from tests.support.provider_rig import rig_of, ios_app\n"
        "from gateway.simulator.process import read_announcement\n"
        "async def main():\n"
        "    async with rig_of(ios_app(read_announcement(pathlib.Path(sys.argv[1])))) as rig:\n"
        "        print(len(await rig.burst(300)))\n"
        "asyncio.run(main())\n"
    )
    for _ in range(2):
        ended = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            str(simulator.directory / "simulator.json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": "."},
        )
        out, err = await ended.communicate()
        assert (ended.returncode, out.strip()) == (0, b"300"), err.decode()[-500:]
