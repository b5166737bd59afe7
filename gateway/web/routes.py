"""Every route there is, with who may call it."""

from gateway.web.route import Route
from gateway.web.routes_devices import DEVICE_ROUTES, INBOX_ROUTES
from gateway.web.routes_events import EVENTS_IN, HISTORY
from gateway.web.routes_operations import ADMIN_ROUTES, OPERATIONS_ROUTES
from gateway.web.routes_presence import PRESENCE_ROUTES

ROUTES: tuple[Route, ...] = (
    *EVENTS_IN,
    *DEVICE_ROUTES,
    *PRESENCE_ROUTES,
    *HISTORY,
    *INBOX_ROUTES,
    *ADMIN_ROUTES,
    *OPERATIONS_ROUTES,
)
