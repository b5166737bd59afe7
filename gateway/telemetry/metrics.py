"""What Prometheus is told. Label values come only from closed sets and from the configuration: never a tenant's
extension, a caller, a token or an id."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of `Metrics.render`."""

_ACCEPT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""A PBX waits 3 to 10 seconds for its answer; the store's round trip and disk are in the milliseconds."""
_PROVIDER_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""A request to a provider is given up after 10 seconds."""
_DELIVERY_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 21600.0)
"""From at once to hours, when a provider was away and its pushes were kept."""

_leave_out_created_series: Callable[[], None] = disable_created_metrics


class Metrics:
    """All metrics of one gateway process, in a registry of their own. Names are `push_gateway_` + attribute."""

    def __init__(self) -> None:
        _leave_out_created_series()
        self.registry = CollectorRegistry()
        self._open_intake()
        self._open_delivery()
        self._open_gauges()
        ProcessCollector(registry=self.registry)

    def _open_intake(self) -> None:
        self.events_total = self._counter(
            "events_total", "Events accepted and decided.", "source", "kind", "action", "reason"
        )
        self.duplicates_total = self._counter("duplicates_total", "Events that had been accepted before.", "source")
        self.accept_seconds = self._histogram(
            "accept_seconds", "From the webhook's arrival until event, decision and pushes are stored.", _ACCEPT_BUCKETS
        )

    def _open_delivery(self) -> None:
        self.pushes_total = self._counter(
            "pushes_total", "Attempts to deliver a push, by what came of them.", "app", "provider", "kind", "outcome"
        )
        self.delivery_seconds = self._histogram(
            "delivery_seconds", "From stored to accepted by the provider.", _DELIVERY_BUCKETS, "kind"
        )
        self.provider_seconds = self._histogram(
            "provider_seconds", "Time a provider took to answer a request.", _PROVIDER_BUCKETS, "app", "provider"
        )
        self.retries_total = self._counter(
            "retries_total", "Pushes put back to be sent again.", "app", "provider", "reason"
        )

    def _open_gauges(self) -> None:
        self.queue_depth = self._gauge("queue_depth", "Pushes waiting or being sent.", "lane")
        self.queue_oldest_seconds = self._gauge("queue_oldest_seconds", "Age of the oldest push in the queue.", "lane")
        self.tasks = self._gauge("tasks", "Tasks of this process's event loop: requests, pushes and what runs beside.")
        self.dead_letters = self._gauge("dead_letters", "Pushes that were given up and wait for a person.")
        self.provider_up = self._gauge(
            "provider_up",
            "1 while the provider takes this app's pushes, 0 while its circuit is open.",
            "app",
            "provider",
        )
        self.credential_expires_seconds = self._gauge(
            "credential_expires_seconds", "Seconds until this app's credential expires.", "app", "provider"
        )

    def render(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"push_gateway_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"push_gateway_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"push_gateway_{name}", meaning, labels, buckets=buckets, registry=self.registry)
