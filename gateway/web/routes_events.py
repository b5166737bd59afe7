"""Routes of events: posting them, their history, and the rehearsal."""

from typing import Any

from gateway.ingress.cloudevents_models import CloudEventBody, EventData
from gateway.web import decisions, events, examples, hooks
from gateway.web.access import EVENT_SENDER, HOOK_SENDER, READS_EXTENSION, READS_TENANT
from gateway.web.models_events import (
    EventAnswer,
    EventDetailAnswer,
    EventListAnswer,
    EventQuery,
    HookAnswer,
    PreviewAnswer,
    PreviewBody,
    ResultsAnswer,
)
from gateway.web.route import EXTENSION, JSON, TENANT, Answer, Route, Section, ok

CLOUDEVENTS = {
    "application/cloudevents+json": CloudEventBody,
    "application/cloudevents-batch+json": list[CloudEventBody],
    JSON: EventData,
}
"""Structured, batched, and binary mode (attributes in `ce-` headers)."""

EVENTS_IN = (
    Route(
        method="POST",
        path=f"{TENANT}/events",
        handler=events.post_events,
        access=EVENT_SENDER,
        section=Section.EVENTS,
        summary="Post events",
        description="CloudEvents 1.0 in structured, binary or batched mode (at most 500). The answer is sent only "
        "after event, decision and pushes are stored; an error means that nothing was stored.",
        body=CLOUDEVENTS,
        example=examples.MISSED_CALL,
        answers={
            202: Answer(means="The event is stored, with its decision.", model=EventAnswer),
            200: Answer(means="A batch: one result an item, in order.", model=ResultsAnswer),
        },
    ),
    Route(
        method="POST",
        path="/hooks/{source}",
        handler=hooks.post_hook,
        access=HOOK_SENDER,
        section=Section.EVENTS,
        summary="A PBX's own webhook",
        description="The vendor's payload, signed as that PBX signs; for a source of kind `generic` CloudEvents. "
        "Answers exactly 200.",
        body={JSON: dict[str, Any], **{media: model for media, model in CLOUDEVENTS.items() if media != JSON}},
        example=examples.YEASTAR_MISSED_CALL,
        answers=ok(HookAnswer, "Stored, or `ignored`: not one of the events that the gateway knows."),
    ),
)

HISTORY = (
    Route(
        method="GET",
        path=f"{TENANT}/events",
        handler=events.list_events,
        access=READS_TENANT,
        section=Section.DECISIONS,
        summary="History of events and decisions, newest first",
        query=EventQuery,
        answers=ok(EventListAnswer, "A page of the history."),
    ),
    Route(
        method="GET",
        path=f"{TENANT}/events/{{event_id}}",
        handler=events.get_event,
        access=READS_TENANT,
        section=Section.DECISIONS,
        summary="One event: facts, decision, trace, pushes",
        answers=ok(EventDetailAnswer, "The event."),
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{EXTENSION}/decisions:preview",
        handler=decisions.post_preview,
        access=READS_EXTENSION,
        section=Section.DECISIONS,
        summary="What would be decided?",
        description="Writes nothing and sends nothing.",
        body={JSON: PreviewBody},
        example=examples.PREVIEW,
        answers=ok(PreviewAnswer, "The decision, what every rule said, and what each phone would receive."),
    ),
)
