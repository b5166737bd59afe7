"""What an application and a request carry, by typed key."""

from typing import Any

from aiohttp import web

from gateway.pipeline.services import Services
from gateway.web.access import Caller
from gateway.web.checks import StoreGauge
from gateway.web.user_tokens import UserTokens

SERVICES = web.AppKey("services", Services)
"""The running gateway."""

USER_TOKENS = web.AppKey("user_tokens", UserTokens)
"""The keys that apps' tokens are checked with."""

STORE_GAUGE = web.AppKey("store_gauge", StoreGauge)
"""The store as the health checks see it."""

CALLER = web.RequestKey("caller", Caller)
"""Who calls, once the gate has admitted the request."""

RECEIVED_AT = web.RequestKey("received_at", int)
"""When the request arrived, in milliseconds."""

DOCUMENT = web.AppKey("document", dict[str, Any])
"""The OpenAPI document."""
