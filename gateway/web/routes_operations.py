"""Routes of operations: dead letters, health, metrics, and this API's own description."""

from typing import Any

from gateway.web import dead_letters, docs_page, ops
from gateway.web.access import ADMIN, OPEN, OPERATIONS
from gateway.web.models_inbox import DeadLetterAnswer, DeadLetterListAnswer, DeadLetterQuery, ReplayedAnswer
from gateway.web.models_ops import HealthAnswer, LiveAnswer, ReadyAnswer
from gateway.web.route import NOTHING, Answer, Route, Section, ok

DEAD_LETTERS = "/v1/dead-letters"
DEAD_LETTER = f"{DEAD_LETTERS}/{{push_id}}"

ADMIN_ROUTES = (
    Route(
        method="GET",
        path=DEAD_LETTERS,
        handler=dead_letters.list_dead_letters,
        access=ADMIN,
        section=Section.ADMIN,
        summary="Pushes that were given up",
        query=DeadLetterQuery,
        answers=ok(DeadLetterListAnswer, "A page of dead letters."),
    ),
    Route(
        method="GET",
        path=DEAD_LETTER,
        handler=dead_letters.get_dead_letter,
        access=ADMIN,
        section=Section.ADMIN,
        summary="One of them",
        answers=ok(DeadLetterAnswer, "The dead letter."),
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{DEAD_LETTER}/replay",
        handler=dead_letters.post_replay,
        access=ADMIN,
        section=Section.ADMIN,
        summary="Send it again, if its event would be told today",
        answers={202: Answer(means="It is back in the queue.", model=ReplayedAnswer)},
        may_be_missing=True,
        may_conflict=True,
    ),
    Route(
        method="DELETE",
        path=DEAD_LETTER,
        handler=dead_letters.delete_dead_letter,
        access=ADMIN,
        section=Section.ADMIN,
        summary="Drop it",
        answers=NOTHING,
        may_be_missing=True,
    ),
)

OPERATIONS_ROUTES = (
    Route(
        method="GET",
        path="/livez",
        handler=ops.get_livez,
        access=OPEN,
        section=Section.OPERATIONS,
        summary="The process lives",
        answers=ok(LiveAnswer, "It does."),
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=ops.get_readyz,
        access=OPEN,
        section=Section.OPERATIONS,
        summary="The gateway can do its job",
        answers={
            200: Answer(means="It can; `degraded`: with trouble that loses nothing.", model=ReadyAnswer),
            503: Answer(means="It cannot.", model=ReadyAnswer),
        },
    ),
    Route(
        method="GET",
        path="/health",
        handler=ops.get_health,
        access=OPERATIONS,
        section=Section.OPERATIONS,
        summary="Health in full",
        answers={
            200: Answer(means="It can do its job.", model=HealthAnswer),
            503: Answer(means="It cannot.", model=HealthAnswer),
        },
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=ops.get_metrics,
        access=OPERATIONS,
        section=Section.OPERATIONS,
        summary="Metrics for Prometheus",
        answers={200: Answer(means="Prometheus' text format.", media="text/plain")},
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=docs_page.get_openapi,
        access=OPEN,
        section=Section.OPERATIONS,
        summary="This document",
        answers=ok(dict[str, Any], "OpenAPI 3.1."),
    ),
    Route(
        method="GET",
        path="/docs",
        handler=docs_page.get_docs,
        access=OPEN,
        section=Section.OPERATIONS,
        summary="This document as a page",
        answers={200: Answer(means="A page.", media="text/html")},
    ),
)
