"""The demo's PBX and CRM: they sign their events as the real ones do, and post them over HTTP."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from gateway.demo.scene import TENANT, TIMEZONE, Keys
from gateway.demo.script import CloudEvent, Event, Yeastar
from gateway.ingress.signatures import sign_standard_webhook, sign_yeastar


@dataclass(slots=True)
class Answer:
    """What the gateway answered."""

    http: int
    body: dict[str, Any]


@dataclass(slots=True)
class Poster:
    """Signs and posts."""

    session: aiohttp.ClientSession
    url: str
    keys: Keys
    _last: tuple[str, bytes, dict[str, str]] | None = field(default=None)

    async def post(self, event: Event) -> Answer:
        """Post one event."""
        match event:
            case Yeastar():
                self._last = self._yeastar(event)
            case CloudEvent():
                self._last = self._cloud_event(event)
        return await self.again()

    async def again(self) -> Answer:
        """Post the last event once more, byte for byte."""
        if self._last is None:
            raise RuntimeError("nothing was posted yet")
        path, body, headers = self._last
        async with self.session.post(self.url + path, data=body, headers=headers) as response:
            return Answer(http=response.status, body=await response.json(content_type=None))

    def _yeastar(self, event: Yeastar) -> tuple[str, bytes, dict[str, str]]:
        msg = dict(event.msg)
        if "call_id" in msg:
            local = datetime.now(ZoneInfo(TIMEZONE)) - timedelta(seconds=40)
            msg["time_start"] = local.strftime("%Y-%m-%d %H:%M:%S")
        envelope = {"type": event.type, "sn": "3631A2124000", "msg": json.dumps(msg) if event.as_string else msg}
        body = json.dumps(envelope).encode()
        secret = "not the secret of this PBX" if event.forged else self.keys.yeastar
        return "/hooks/hq", body, {"Content-Type": "application/json", "X-Signature": sign_yeastar(secret, body)}

    def _cloud_event(self, event: CloudEvent) -> tuple[str, bytes, dict[str, str]]:
        now = datetime.now(UTC)
        document = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/crm",
            "type": f"com.example.{event.type}",
            "subject": event.extension,
            "time": now.isoformat(),
            "data": event.data,
        }
        body = json.dumps(document).encode()
        headers = {"Content-Type": "application/cloudevents+json"}
        if not event.signed:
            headers["Authorization"] = f"Bearer {self.keys.provisioning}"
            return f"/v1/tenants/{TENANT}/events", body, headers
        message_id, seconds = f"msg_{uuid.uuid4().hex}", int(now.timestamp())
        headers |= {
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign_standard_webhook(self.keys.crm, message_id, seconds, body),
        }
        return "/hooks/crm", body, headers
