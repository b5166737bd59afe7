"""FCM HTTP v1 and its token endpoint as one connection sees them."""

import re
import uuid
from collections.abc import Mapping

import orjson

from gateway.domain.device import Environment, Provider
from gateway.simulator.apns_server import extra_headers
from gateway.simulator.counts import Counts
from gateway.simulator.exchange import Addressed, Request, Scripted
from gateway.simulator.faults import Answer
from gateway.simulator.fcm_checks import FCM_ERRORS, FcmPush, FcmRefusal, error_body, read_message, refusal
from gateway.simulator.fcm_delivery import delivery_of
from gateway.simulator.frames import Response
from gateway.simulator.oauth import AccessTokens, oauth_error
from gateway.simulator.phones import VirtualPhone
from gateway.simulator.views import Fate, PhoneState
from gateway.simulator.world import WireRecord, World

_STREAMS = 100
_TOKEN_PATH = "/token"  # noqa: S105 - a path
_SEND = re.compile(r"/v1/projects/([^/]+)/messages:send\Z")
_JSON = ((b"content-type", b"application/json; charset=UTF-8"),)
_THROTTLE_SECONDS = b"5"

_CODE_OF_STATE: Mapping[PhoneState, str] = {
    PhoneState.BAD: "INVALID_ARGUMENT",
    PhoneState.UNREGISTERED: "UNREGISTERED",
    PhoneState.EXPIRED: "UNREGISTERED",
    PhoneState.SENDER_MISMATCH: "SENDER_ID_MISMATCH",
    PhoneState.WRONG_TOPIC: "SENDER_ID_MISMATCH",
    PhoneState.THROTTLED: "QUOTA_EXCEEDED",
}
_MESSAGE_OF_CODE = {
    "INVALID_ARGUMENT": "The registration token is not a valid FCM registration token",
    "UNREGISTERED": "Requested entity was not found.",
    "SENDER_ID_MISMATCH": "SenderId mismatch",
    "QUOTA_EXCEEDED": "Quota exceeded for quota metric 'Messages per device'",
}


class FcmSession:
    """Connections to FCM keep no state of their own."""

    def __init__(self, world: World, access: AccessTokens, counts: Counts, project_id: str) -> None:
        self.limit = _STREAMS
        self._world = world
        self._access = access
        self._counts = counts
        self._project_id = project_id

    def addressed(self, request: Request) -> Addressed:
        oauth = request.path == _TOKEN_PATH
        return Addressed(
            provider="oauth" if oauth else "fcm",
            environment=Environment.PRODUCTION,
            path=request.path,
            token="" if oauth else _named_target(request.body)[0],
            topic="",
        )

    def handle(self, request: Request, scripted: Scripted | None = None) -> Response:
        if request.path == _TOKEN_PATH:
            return self._exchange(request, scripted)
        outcome: FcmPush | FcmRefusal | None = None
        fate = Fate.REFUSED
        token, push_id = "", ""
        if scripted is None or scripted.deliver:
            outcome, fate = self._process(request)
        if isinstance(outcome, FcmPush):
            token, push_id = outcome.target, _push_id(outcome)
        else:
            token, push_id = _named_target(request.body)
        refused = outcome if isinstance(outcome, FcmRefusal) else None
        record = WireRecord(
            0,
            Provider.FCM,
            Environment.PRODUCTION,
            token,
            "",
            push_id,
            0,
            refused.status if refused else 200,
            refused.reason if refused else "",
            fate,
            request.headers,
            request.body,
        )
        self._world.record(record, scripted)
        return self._accepted() if refused is None else _refused(refused)

    def scripted_response(self, request: Request, answer: Answer) -> Response:
        status = answer.status or 200
        if request.path == _TOKEN_PATH:
            plain = oauth_error(answer.reason, "scripted", status)
        elif answer.reason in FCM_ERRORS:
            word = FCM_ERRORS[answer.reason][1]
            plain = _refused(FcmRefusal(status=status, code=answer.reason, word=word))
        elif status == 200:
            plain = self._accepted()
        else:
            plain = _refused(FcmRefusal(status=status, word=answer.reason))
        body = plain.body if answer.body is None else answer.body.encode()
        kept = tuple(header for header in plain.headers if header[0] != b"retry-after")
        return Response(status, kept + extra_headers(answer), body)

    def _exchange(self, request: Request, scripted: Scripted | None) -> Response:
        if scripted is None or scripted.deliver:
            response = self._access.exchange(request.body)
            self._counts.oauth_tokens += response.status == 200
        else:
            response = Response(scripted.status)
        status = response.status if scripted is None else scripted.status
        error = "" if status == 200 or not response.body else str(orjson.loads(response.body).get("error", ""))
        self._counts.answers["oauth", status, scripted.reason if scripted else error] += 1
        return response

    def _process(self, request: Request) -> tuple[FcmPush | FcmRefusal, Fate]:
        addressed = _SEND.match(request.path)
        if request.method != "POST" or addressed is None:
            return FcmRefusal(status=404, message="Not found"), Fate.REFUSED
        if not self._access.accepts(request.headers.get("authorization")):
            message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
            return FcmRefusal(status=401, message=message), Fate.REFUSED
        if addressed[1] != self._project_id:
            message = f"Permission 'cloudmessaging.messages.create' denied on resource '//{addressed[1]}'"
            return FcmRefusal(status=403, message=message), Fate.REFUSED
        push = read_message(request.body)
        if isinstance(push, FcmRefusal):
            return push, Fate.REFUSED
        if push.target_kind in {"topic", "condition"}:
            return push, Fate.SILENT
        phone = self._world.phone_for(push.target, Provider.FCM, Environment.PRODUCTION)
        return self._to_phone(push, phone)

    def _to_phone(self, push: FcmPush, phone: VirtualPhone | None) -> tuple[FcmPush | FcmRefusal, Fate]:
        code = "UNREGISTERED" if phone is None else _CODE_OF_STATE.get(phone.state, "")
        if phone is None or code:
            return refusal(code, _MESSAGE_OF_CODE[code]), Fate.REFUSED
        if push.validate_only:
            return push, Fate.VALIDATED
        return push, self._world.deliver(phone, delivery_of(push, _push_id(push), self._world.clock()))

    def _accepted(self) -> Response:
        name = f"projects/{self._project_id}/messages/0:{self._world.clock()}%{uuid.uuid4().hex[:16]}"
        return Response(200, _JSON, orjson.dumps({"name": name}))


def _push_id(push: FcmPush) -> str:
    return str(push.message.get("data", {}).get("push_id", ""))


def _named_target(body: bytes) -> tuple[str, str]:
    """Token or installation id, and push id, of a body that may be anything."""
    try:
        message = orjson.loads(body)["message"]
        target = message.get("token") or message.get("fid") or ""
        data = message.get("data")
        push_id = data.get("push_id", "") if isinstance(data, dict) else ""
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return "", ""
    return str(target), str(push_id)


def _refused(refused: FcmRefusal) -> Response:
    headers: tuple[tuple[bytes, bytes], ...] = _JSON
    if refused.status == 401 and not refused.code:
        headers += ((b"www-authenticate", b'Bearer realm="https://accounts.google.com/", error="invalid_token"'),)
    if refused.code == "QUOTA_EXCEEDED":
        headers += ((b"retry-after", _THROTTLE_SECONDS),)
    return Response(refused.status, headers, error_body(refused))
