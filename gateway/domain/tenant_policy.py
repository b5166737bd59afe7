"""What a tenant may tune about decisions and payloads (`[tenants.policy]`). Every key has a default."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain.event import EventKind
from gateway.domain.presence import Status


class Privacy(StrEnum):
    """How much of the caller leaves the house in a payload."""

    FULL = "full"
    NUMBER_MASKED = "number_masked"
    """Numbers reduced to their last two digits."""
    KIND_ONLY = "kind_only"
    """No caller at all, body empty."""
    ID_ONLY = "id_only"
    """Only ids; the app fetches the rest."""


class MissedWithVoicemail(StrEnum):
    """What a caller who leaves a message causes."""

    VOICEMAIL_ONLY = "voicemail_only"
    BOTH = "both"


Switch = Annotated[bool, Field(strict=True)]
"""true or false, written as such."""


class Bypass(BaseModel):
    """Callers that pass the push switch and the ring strategy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vip: Switch = False
    """Callers on the extension's `vip_callers`."""
    repeat_caller: Switch = False
    """The same caller twice in three minutes."""


DEFAULT_MAX_AGE_SECONDS = {EventKind.CALL_INCOMING: 45, EventKind.CALL_MISSED: 43200, EventKind.VOICEMAIL_NEW: 259200}


class TenantPolicy(BaseModel):
    """Options of the decision and of what a payload shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    privacy: Privacy = Privacy.FULL
    max_age_seconds: dict[EventKind, Annotated[int, Field(strict=True, ge=1, le=2_419_200)]] = Field(
        default_factory=dict
    )
    """Seconds after which an event of a kind tells nobody anything; absent kinds take `DEFAULT_MAX_AGE_SECONDS`."""
    missed_with_voicemail: MissedWithVoicemail = MissedWithVoicemail.VOICEMAIL_ONLY
    wake_needs_accept_push: Switch = False
    """Whether the push switch silences ringing too; by default ringing belongs to the ring strategy."""
    ring_first_seconds: Annotated[int, Field(strict=True, ge=1, le=300)] = 15
    """How long the first ring stage lasts when the event does not say that the second began."""
    quiet_statuses: tuple[str, ...] = (Status.DO_NOT_DISTURB.value,)
    """Statuses in which an allowed notification makes no sound."""
    custom_statuses: tuple[str, ...] = ()
    foreground_seconds: Annotated[int, Field(strict=True, ge=0, le=86_400)] = 0
    """A phone seen in the foreground within so many seconds gets no alert; 0: off."""
    bypass: Bypass = Bypass()

    def max_age(self, kind: EventKind) -> int | None:
        """Seconds an event of `kind` stays worth telling; None: it has no age."""
        return self.max_age_seconds.get(kind, DEFAULT_MAX_AGE_SECONDS.get(kind))
