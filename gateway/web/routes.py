"""Every route there is, with who may call it."""

from typing import Any

from gateway.ingress.cloudevents_models import CloudEventBody, EventData
from gateway.web import (
    dead_letters,
    decisions,
    devices,
    docs_page,
    events,
    examples,
    hooks,
    inbox,
    ops,
    presence,
)
from gateway.web.access import (
    ADMIN,
    ERASES,
    EVENT_SENDER,
    HOOK_SENDER,
    OPEN,
    OPERATIONS,
    READS_EXTENSION,
    READS_TENANT,
    WRITES_DEVICES,
    WRITES_PRESENCE,
)
from gateway.web.models_devices import (
    DeviceAnswer,
    DeviceBody,
    DeviceListAnswer,
    HeartbeatBody,
    ReceiptBody,
    TestAnswer,
)
from gateway.web.models_events import (
    EventDetailAnswer,
    EventListAnswer,
    EventQuery,
    EventsAnswer,
    HookAnswer,
    PreviewAnswer,
    PreviewBody,
    ResultsAnswer,
)
from gateway.web.models_inbox import (
    BadgeAnswer,
    DeadLetterAnswer,
    DeadLetterListAnswer,
    DeadLetterQuery,
    ErasedAnswer,
    InboxAnswer,
    InboxQuery,
    ReplayedAnswer,
    SeenBody,
)
from gateway.web.models_ops import HealthAnswer, LiveAnswer, ReadyAnswer
from gateway.web.models_presence import (
    CallPlanAnswer,
    CallPlanQuery,
    PresenceAnswer,
    PresenceBody,
    ProfileBody,
    SettingsBody,
)
from gateway.web.route import JSON, Answer, Route, Section

TENANT = "/v1/tenants/{tenant}"
EXTENSION = f"{TENANT}/extensions/{{extension}}"
DEVICES = f"{EXTENSION}/devices"
DEVICE = f"{DEVICES}/{{device_id}}"
SETTINGS = f"{EXTENSION}/presence/settings/{{status}}"
DEAD_LETTERS = "/v1/dead-letters"
DEAD_LETTER = f"{DEAD_LETTERS}/{{push_id}}"
MERGE_PATCH = "application/merge-patch+json"

CLOUDEVENTS = {
    "application/cloudevents+json": CloudEventBody,
    "application/cloudevents-batch+json": list[CloudEventBody],
    JSON: EventData,
}
"""Structured, batched, and binary mode (attributes in `ce-` headers)."""


def _ok(model: Any, means: str = "Done.") -> dict[int, Answer]:
    return {200: Answer(means=means, model=model)}


_NOTHING = {204: Answer(means="Done.")}

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
            202: Answer(means="The event is stored, with its decision.", model=EventsAnswer),
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
        answers=_ok(HookAnswer, "Stored, or `ignored`: not one of the events that the gateway knows."),
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
        answers=_ok(EventListAnswer, "A page of the history."),
    ),
    Route(
        method="GET",
        path=f"{TENANT}/events/{{event_id}}",
        handler=events.get_event,
        access=READS_TENANT,
        section=Section.DECISIONS,
        summary="One event: facts, decision, trace, pushes",
        answers=_ok(EventDetailAnswer, "The event."),
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
        answers=_ok(PreviewAnswer, "The decision, what every rule said, and what each phone would receive."),
    ),
)

DEVICE_ROUTES = (
    Route(
        method="GET",
        path=DEVICES,
        handler=devices.list_devices,
        access=READS_EXTENSION,
        section=Section.DEVICES,
        summary="All devices of the extension",
        answers=_ok(DeviceListAnswer, "The devices."),
    ),
    Route(
        method="PUT",
        path=DEVICE,
        handler=devices.put_device,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="Register a device",
        description="Creates or replaces; idempotent. A token that was registered elsewhere moves here. "
        "At most 20 devices an extension.",
        body={JSON: DeviceBody},
        example=examples.DEVICE,
        answers={
            200: Answer(means="Replaced.", model=DeviceAnswer),
            201: Answer(means="Created.", model=DeviceAnswer),
        },
        may_conflict=True,
    ),
    Route(
        method="GET",
        path=DEVICE,
        handler=devices.get_device,
        access=READS_EXTENSION,
        section=Section.DEVICES,
        summary="One device",
        answers=_ok(DeviceAnswer, "The device, without its tokens."),
        may_be_missing=True,
    ),
    Route(
        method="DELETE",
        path=DEVICE,
        handler=devices.delete_device,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="Forget a device",
        answers=_NOTHING,
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{DEVICE}/test",
        handler=devices.post_test,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="Send a test push and say how far it came",
        answers=_ok(TestAnswer, "The stages until the first that failed."),
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{DEVICE}/receipts",
        handler=devices.post_receipt,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="The app showed a push",
        body={JSON: ReceiptBody},
        example=examples.RECEIPT,
        answers=_NOTHING,
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{DEVICE}/heartbeat",
        handler=devices.post_heartbeat,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="The app is in the foreground, or no more",
        body={JSON: HeartbeatBody},
        example=examples.HEARTBEAT,
        answers=_NOTHING,
        may_be_missing=True,
    ),
)

PRESENCE_ROUTES = (
    Route(
        method="GET",
        path=f"{EXTENSION}/presence",
        handler=presence.get_presence,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="Current status and the settings of every status",
        answers=_ok(PresenceAnswer, "The presence."),
    ),
    Route(
        method="PUT",
        path=f"{EXTENSION}/presence",
        handler=presence.put_presence,
        access=WRITES_PRESENCE,
        section=Section.PRESENCE,
        summary="Set the status",
        body={JSON: PresenceBody},
        example=examples.PRESENCE,
        answers=_ok(PresenceAnswer, "The presence from now on."),
    ),
    Route(
        method="GET",
        path=SETTINGS,
        handler=presence.get_settings,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="Settings of one status",
        answers=_ok(SettingsBody, "The settings, stored or default."),
        may_be_missing=True,
    ),
    Route(
        method="PUT",
        path=SETTINGS,
        handler=presence.put_settings,
        access=WRITES_PRESENCE,
        section=Section.PRESENCE,
        summary="Replace the settings of one status",
        description="Absent fields take their defaults. In `do_not_disturb` a field that this status does not have is "
        "refused.",
        body={JSON: SettingsBody},
        example=examples.SETTINGS,
        answers=_ok(SettingsBody, "The settings from now on."),
        may_be_missing=True,
    ),
    Route(
        method="PATCH",
        path=SETTINGS,
        handler=presence.patch_settings,
        access=WRITES_PRESENCE,
        section=Section.PRESENCE,
        summary="Change some settings of one status",
        description="JSON Merge Patch (RFC 7386); the result is validated as a whole.",
        body={MERGE_PATCH: dict[str, Any]},
        example=examples.SETTINGS_PATCH,
        answers=_ok(SettingsBody, "The settings from now on."),
        may_be_missing=True,
    ),
    Route(
        method="GET",
        path=f"{EXTENSION}/call-plan",
        handler=presence.get_call_plan,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="How a call would be distributed right now",
        query=CallPlanQuery,
        answers=_ok(CallPlanAnswer, "The plan."),
    ),
    Route(
        method="GET",
        path=f"{EXTENSION}/profile",
        handler=presence.get_profile,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="What belongs to the extension in every status",
        answers=_ok(ProfileBody, "The profile."),
    ),
    Route(
        method="PATCH",
        path=f"{EXTENSION}/profile",
        handler=presence.patch_profile,
        access=WRITES_PRESENCE,
        section=Section.PRESENCE,
        summary="Change the profile",
        description="JSON Merge Patch (RFC 7386); the result is validated as a whole.",
        body={MERGE_PATCH: dict[str, Any]},
        example=examples.PROFILE_PATCH,
        answers=_ok(ProfileBody, "The profile from now on."),
    ),
)

INBOX_ROUTES = (
    Route(
        method="GET",
        path=f"{EXTENSION}/inbox",
        handler=inbox.get_inbox,
        access=READS_EXTENSION,
        section=Section.INBOX,
        summary="Missed calls and voicemails, newest first",
        query=InboxQuery,
        answers=_ok(InboxAnswer, "A page of the inbox."),
    ),
    Route(
        method="POST",
        path=f"{EXTENSION}/inbox/seen",
        handler=inbox.post_seen,
        access=WRITES_DEVICES,
        section=Section.INBOX,
        summary="The user has seen items",
        description="The badge follows on every device.",
        body={JSON: SeenBody},
        example=examples.SEEN,
        answers=_ok(BadgeAnswer, "The badge from now on."),
    ),
    Route(
        method="DELETE",
        path=EXTENSION,
        handler=inbox.delete_extension,
        access=ERASES,
        section=Section.INBOX,
        summary="Erase an extension",
        description="Devices, presence, inbox and history.",
        answers=_ok(ErasedAnswer, "What was erased."),
    ),
)

ADMIN_ROUTES = (
    Route(
        method="GET",
        path=DEAD_LETTERS,
        handler=dead_letters.list_dead_letters,
        access=ADMIN,
        section=Section.ADMIN,
        summary="Pushes that were given up",
        query=DeadLetterQuery,
        answers=_ok(DeadLetterListAnswer, "A page of dead letters."),
    ),
    Route(
        method="GET",
        path=DEAD_LETTER,
        handler=dead_letters.get_dead_letter,
        access=ADMIN,
        section=Section.ADMIN,
        summary="One of them",
        answers=_ok(DeadLetterAnswer, "The dead letter."),
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{DEAD_LETTER}/replay",
        handler=dead_letters.post_replay,
        access=ADMIN,
        section=Section.ADMIN,
        summary="Send it again",
        answers={202: Answer(means="It is back in the queue.", model=ReplayedAnswer)},
        may_be_missing=True,
    ),
    Route(
        method="DELETE",
        path=DEAD_LETTER,
        handler=dead_letters.delete_dead_letter,
        access=ADMIN,
        section=Section.ADMIN,
        summary="Drop it",
        answers=_NOTHING,
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
        answers=_ok(LiveAnswer, "It does."),
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
        answers=_ok(dict[str, Any], "OpenAPI 3.1."),
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

ROUTES: tuple[Route, ...] = (
    *EVENTS_IN,
    *DEVICE_ROUTES,
    *PRESENCE_ROUTES,
    *HISTORY,
    *INBOX_ROUTES,
    *ADMIN_ROUTES,
    *OPERATIONS_ROUTES,
)
