"""APNs as one connection sees it: Apple's checks, the phone's answer, Apple's words."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from gateway.domain.device import Environment, Provider
from gateway.simulator.apns_checks import (
    STATUS_OF_REASON,
    ApnsPush,
    bundle_of,
    read_push,
    refused_address,
    token_in,
)
from gateway.simulator.exchange import Addressed, Request, Scripted
from gateway.simulator.faults import Answer
from gateway.simulator.frames import Response
from gateway.simulator.phones import NOW_OR_NEVER, Delivery
from gateway.simulator.provider_tokens import ConnectionTokens, TokenVerifier
from gateway.simulator.views import Fate, PhoneState
from gateway.simulator.world import WireRecord, World

_STREAMS_BEFORE_TOKEN = 1
_STREAMS = 1000

_REASON_OF_STATE: Mapping[PhoneState, str] = {
    PhoneState.BAD: "BadDeviceToken",
    PhoneState.UNREGISTERED: "Unregistered",
    PhoneState.EXPIRED: "ExpiredToken",
    PhoneState.WRONG_TOPIC: "DeviceTokenNotForTopic",
    PhoneState.SENDER_MISMATCH: "DeviceTokenNotForTopic",
    PhoneState.THROTTLED: "TooManyRequests",
}


class ApnsSession:
    """One connection. `certified_topic`: bundle id of the client certificate, which replaces provider tokens."""

    def __init__(
        self,
        world: World,
        verifier: TokenVerifier,
        environment: Environment,
        *,
        topics: frozenset[str] = frozenset(),
        certified_topic: str | None = None,
    ) -> None:
        self.limit = _STREAMS if certified_topic else _STREAMS_BEFORE_TOKEN
        self._world = world
        self._tokens = ConnectionTokens(verifier)
        self._environment = environment
        self._topics = frozenset({certified_topic}) if certified_topic else topics
        self._certified = certified_topic is not None

    def addressed(self, request: Request) -> Addressed:
        return Addressed(
            provider="apns",
            environment=self._environment,
            path=request.path,
            token=token_in(request.path),
            topic=request.headers.get("apns-topic", ""),
        )

    def handle(self, request: Request, scripted: Scripted | None = None) -> Response:
        push_id = request.headers.get("apns-id") or str(uuid.uuid4())
        reason, fate, since = "", Fate.REFUSED, None
        if scripted is None or scripted.deliver:
            reason, fate, since = self._process(request, push_id)
        status = STATUS_OF_REASON[reason] if reason else 200
        record = WireRecord(
            0,
            Provider.APNS,
            self._environment,
            token_in(request.path),
            request.headers.get("apns-topic", ""),
            push_id,
            0,
            status,
            reason,
            fate,
            request.headers,
            request.body,
        )
        self._world.record(record, scripted)
        return self._response(status, reason, push_id, since)

    def scripted_response(self, request: Request, answer: Answer) -> Response:
        push_id = request.headers.get("apns-id") or str(uuid.uuid4())
        plain = self._response(answer.status or 200, answer.reason, push_id, answer.timestamp)
        body = plain.body if answer.body is None else answer.body.encode()
        headers = plain.headers + extra_headers(answer)
        return Response(plain.status, headers, body)

    def _process(self, request: Request, push_id: str) -> tuple[str, Fate, int | None]:
        """Reason to refuse (empty: accepted), what became of the push, and since when a dead token is dead."""
        push = self._accepted_form(request)
        if isinstance(push, str):
            return push, Fate.REFUSED, None
        phone = self._world.phone_for(push.token, Provider.APNS, self._environment)
        if phone is None:
            return "BadDeviceToken", Fate.REFUSED, None
        if reason := _REASON_OF_STATE.get(phone.state, ""):
            return reason, Fate.REFUSED, phone.since
        if phone.topic and phone.topic != push.topic:
            return "DeviceTokenNotForTopic", Fate.REFUSED, None
        phone.topic = push.topic
        return "", self._world.deliver(phone, delivery_of(push, push_id)), None

    def _accepted_form(self, request: Request) -> ApnsPush | str:
        if reason := refused_address(request):
            return reason
        if not self._certified:
            if reason := self._tokens.check(request.headers.get("authorization"), self._world.clock()):
                return reason
            self.limit = _STREAMS
        push = read_push(request)
        if isinstance(push, ApnsPush) and self._topics and bundle_of(push.topic) not in self._topics:
            return "TopicDisallowed"
        return push

    def _response(self, status: int, reason: str, push_id: str, since: int | None) -> Response:
        headers: tuple[tuple[bytes, bytes], ...] = ((b"apns-id", push_id.encode("latin-1", "replace")),)
        if self._environment is Environment.SANDBOX and status == 200:
            headers += ((b"apns-unique-id", str(uuid.uuid4()).encode()),)
        if status == 200:
            return Response(200, headers)
        body: dict[str, Any] = {"reason": reason}
        if status == 410 and since is not None:
            body["timestamp"] = since
        return Response(status, headers, json.dumps(body, separators=(",", ":")).encode())


def extra_headers(answer: Answer) -> tuple[tuple[bytes, bytes], ...]:
    """Headers that a scripted answer adds."""
    added = dict(answer.headers)
    if answer.retry_after is not None:
        added["retry-after"] = str(answer.retry_after)
    return tuple((name.lower().encode("latin-1"), value.encode()) for name, value in added.items())


def delivery_of(push: ApnsPush, push_id: str) -> Delivery:
    """What the push asks of the phone."""
    aps = _part(push.payload, "aps")
    pbx = _part(push.payload, "pbx")
    caller = _part(pbx, "caller")
    alert = aps.get("alert")
    title, body = (_text(alert, "title"), _text(alert, "body")) if isinstance(alert, dict) else ("", str(alert or ""))
    badge = aps.get("badge")
    voip = push.push_type == "voip"
    return Delivery(
        push_id=push_id,
        kind=_text(pbx, "kind"),
        title=title,
        body=body,
        visible=not voip and push.push_type != "background" and bool(alert),
        rings=voip,
        sound="sound" in aps and aps.get("interruption-level") != "passive",
        badge=badge if type(badge) is int and not voip else None,
        thread=_text(aps, "thread-id"),
        collapse=push.collapse_id,
        storage_key=push.topic,
        expires_at=NOW_OR_NEVER if push.expiration == 0 else push.expiration and push.expiration * 1000,
        call_id=_text(pbx, "call_id"),
        caller_number=_text(caller, "number"),
        caller_name=_text(caller, "name"),
    )


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return "" if value is None else str(value)
