"""Routes of an extension's presence and profile."""

from typing import Any

from gateway.web import examples, presence
from gateway.web.access import READS_EXTENSION, WRITES_PRESENCE
from gateway.web.models_presence import (
    CallPlanAnswer,
    CallPlanQuery,
    PresenceAnswer,
    PresenceBody,
    ProfileBody,
    SettingsBody,
)
from gateway.web.route import EXTENSION, JSON, Route, Section, ok

SETTINGS = f"{EXTENSION}/presence/settings/{{status}}"
MERGE_PATCH = "application/merge-patch+json"

PRESENCE_ROUTES = (
    Route(
        method="GET",
        path=f"{EXTENSION}/presence",
        handler=presence.get_presence,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="Current status and the settings of every status",
        answers=ok(PresenceAnswer, "The presence."),
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
        answers=ok(PresenceAnswer, "The presence from now on."),
    ),
    Route(
        method="GET",
        path=SETTINGS,
        handler=presence.get_settings,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="Settings of one status",
        answers=ok(SettingsBody, "The settings, stored or default."),
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
        answers=ok(SettingsBody, "The settings from now on."),
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
        answers=ok(SettingsBody, "The settings from now on."),
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
        answers=ok(CallPlanAnswer, "The plan."),
    ),
    Route(
        method="GET",
        path=f"{EXTENSION}/profile",
        handler=presence.get_profile,
        access=READS_EXTENSION,
        section=Section.PRESENCE,
        summary="What belongs to the extension in every status",
        answers=ok(ProfileBody, "The profile."),
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
        answers=ok(ProfileBody, "The profile from now on."),
    ),
)
