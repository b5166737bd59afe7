"""The metrics are those of the contract: names, kinds and labels."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics

CONTRACT = {
    "events_total": ("counter", ("source", "kind", "action", "reason")),
    "duplicates_total": ("counter", ("source",)),
    "pushes_total": ("counter", ("app", "provider", "kind", "outcome")),
    "accept_seconds": ("histogram", ()),
    "delivery_seconds": ("histogram", ("kind",)),
    "provider_seconds": ("histogram", ("app", "provider")),
    "queue_depth": ("gauge", ("lane",)),
    "queue_oldest_seconds": ("gauge", ("lane",)),
    "retries_total": ("counter", ("app", "provider", "reason")),
    "dead_letters": ("gauge", ()),
    "provider_up": ("gauge", ("app", "provider")),
    "credential_expires_seconds": ("gauge", ("app", "provider")),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_a_metric_has_the_kind_and_the_labels_of_the_contract(name: str) -> None:
    kind, labels = CONTRACT[name]
    metrics = Metrics()
    metric = getattr(metrics, name)
    child = metric.labels(**dict.fromkeys(labels, "x")) if labels else metric
    getattr(child, {"counter": "inc", "gauge": "set", "histogram": "observe"}[kind])(1)
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    family = families[f"push_gateway_{name}".removesuffix("_total")]
    assert family.type == kind
    assert family.documentation
    for sample in family.samples:
        assert set(sample.labels) - {"le"} == set(labels)
        assert sample.name == f"push_gateway_{name}" or kind == "histogram"


def test_nothing_else_is_told_but_the_process() -> None:
    names = {family.name for family in text_string_to_metric_families(Metrics().render().decode())}
    ours = {f"push_gateway_{name}".removesuffix("_total") for name in CONTRACT}
    assert {name for name in names if not name.startswith("process_")} == ours | {"push_gateway_tasks"}


def test_each_gateway_in_a_process_has_its_own_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.dead_letters.set(7)
    assert b"push_gateway_dead_letters 7.0" in first.render()
    assert b"push_gateway_dead_letters 0.0" in second.render()


def test_buckets_reach_from_a_fast_answer_to_the_limit_of_each_wait() -> None:
    metrics = Metrics()
    metrics.accept_seconds.observe(0.002)
    metrics.provider_seconds.labels("app", "apns").observe(9.9)
    metrics.delivery_seconds.labels("call.missed").observe(20000)
    text = metrics.render().decode()
    assert 'push_gateway_accept_seconds_bucket{le="0.0025"} 1.0' in text
    assert 'push_gateway_provider_seconds_bucket{app="app",le="10.0",provider="apns"} 1.0' in text
    assert 'push_gateway_delivery_seconds_bucket{kind="call.missed",le="21600.0"} 1.0' in text
