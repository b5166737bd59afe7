"""Routes of an extension's devices and inbox."""

from gateway.web import devices, examples, inbox
from gateway.web.access import ERASES, READS_EXTENSION, WRITES_DEVICES
from gateway.web.models_devices import (
    DeviceAnswer,
    DeviceBody,
    DeviceListAnswer,
    DiagnosisAnswer,
    HeartbeatBody,
    ReceiptBody,
)
from gateway.web.models_inbox import BadgeAnswer, ErasedAnswer, InboxAnswer, InboxQuery, SeenBody
from gateway.web.route import EXTENSION, JSON, NOTHING, Answer, Route, Section, ok

DEVICES = f"{EXTENSION}/devices"
DEVICE = f"{DEVICES}/{{device_id}}"

DEVICE_ROUTES = (
    Route(
        method="GET",
        path=DEVICES,
        handler=devices.list_devices,
        access=READS_EXTENSION,
        section=Section.DEVICES,
        summary="All devices of the extension",
        answers=ok(DeviceListAnswer, "The devices."),
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
        answers=ok(DeviceAnswer, "The device, without its tokens."),
        may_be_missing=True,
    ),
    Route(
        method="DELETE",
        path=DEVICE,
        handler=devices.delete_device,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="Forget a device",
        answers=NOTHING,
        may_be_missing=True,
    ),
    Route(
        method="POST",
        path=f"{DEVICE}/test",
        handler=devices.post_test,
        access=WRITES_DEVICES,
        section=Section.DEVICES,
        summary="Send a test push and say how far it came",
        answers=ok(DiagnosisAnswer, "The stages until the first that failed."),
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
        answers=NOTHING,
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
        answers=NOTHING,
        may_be_missing=True,
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
        answers=ok(InboxAnswer, "A page of the inbox."),
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
        answers=ok(BadgeAnswer, "The badge from now on."),
    ),
    Route(
        method="DELETE",
        path=EXTENSION,
        handler=inbox.delete_extension,
        access=ERASES,
        section=Section.INBOX,
        summary="Erase an extension",
        description="Devices, presence, inbox and history.",
        answers=ok(ErasedAnswer, "What was erased."),
    ),
)
