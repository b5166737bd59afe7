"""FCM over HTTP/1.1: the same sessions and faults behind aiohttp's own protocol."""

import asyncio

from aiohttp import web

from gateway.simulator.connection_faults import reset
from gateway.simulator.exchange import Request, Scripted, Session
from gateway.simulator.fault_book import FaultBook
from gateway.simulator.faults import (
    Answer,
    Close,
    Fault,
    GoAway,
    HalfOpen,
    MaxStreams,
    NoAnswer,
    Reset,
    RstStream,
    StallWindow,
)
from gateway.simulator.frames import Response

_HOP_BY_HOP = frozenset({b"content-length", b"connection", b"transfer-encoding"})


class Http1Handler:
    """Answers one request; what exists in HTTP/2 only is played as its nearest neighbour."""

    def __init__(self, session: Session, faults: FaultBook) -> None:
        self._session = session
        self._faults = faults

    async def __call__(self, incoming: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in incoming.headers.items()}
        request = Request(incoming.method, incoming.raw_path, headers, (), await incoming.read())
        fault = self._faults.take(self._session.addressed(request)) if self._faults else None
        if fault is None:
            return _answer(self._session.handle(request))
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        return await self._meet(incoming, request, fault)

    async def _meet(self, incoming: web.BaseRequest, request: Request, fault: Fault) -> web.StreamResponse:
        what = fault.what
        match what:
            case Answer(status=int() as status):
                self._session.handle(request, Scripted(status, what.reason, fault.deliver))
                return _answer(self._session.scripted_response(request, what))
            case NoAnswer() | HalfOpen():
                self._session.handle(request, Scripted(0, what.do, fault.deliver))
                await asyncio.Event().wait()
            case Reset() | Close() | RstStream() | GoAway(last_stream="below"):
                self._session.handle(request, Scripted(0, what.do, fault.deliver))
                _drop(incoming, abruptly=isinstance(what, Reset))
            case GoAway():
                response = _answer(self._session.handle(request))
                response.force_close()
                return response
            case Answer() | MaxStreams() | StallWindow():
                pass
        return _answer(self._session.handle(request))


def _drop(incoming: web.BaseRequest, *, abruptly: bool) -> None:
    transport = incoming.transport
    if transport is not None and abruptly:
        reset(transport)
    elif transport is not None:
        transport.close()
    raise asyncio.CancelledError


def _answer(response: Response) -> web.Response:
    answer = web.Response(status=response.status, body=response.body)
    for name, value in response.headers:
        if name not in _HOP_BY_HOP:
            answer.headers[name.decode("latin-1")] = value.decode("utf-8", "replace")
    return answer
