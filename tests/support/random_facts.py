"""Hypothesis strategies for facts: every option of policy, presence, device and call that a decision looks at."""

from hypothesis import strategies as st

from gateway.domain.decision import DeviceFacts, Facts
from gateway.domain.device import REGISTRABLE_KINDS, DeviceState, Provider
from gateway.domain.event import Caller, Direction, Disposition, EventKind, PbxEvent, Via
from gateway.domain.extension import CallPush, CallState, RecentCall, Unread, UnseenItem
from gateway.domain.presence import Endpoint, RingStrategy, Status
from gateway.domain.push import PushKind, PushState
from gateway.domain.tenant_policy import Bypass, MissedWithVoicemail, TenantPolicy
from tests.support.facts import CALL_ID, EXTENSION, NOW, a_device, an_event, facts

TOLD_KINDS = (EventKind.CALL_MISSED, EventKind.CALL_INCOMING, EventKind.VOICEMAIL_NEW, EventKind.VOICEMAIL_MAILBOX)
_NUMBERS = ("+4915112345678", "4915112345678", "+49 151 99", "1002", "anonymous", "")
_AGES = st.one_of(
    st.integers(-5_000, 120_000),
    st.sampled_from([45_000, 45_001, 30_000, 30_001, 43_200_000, 43_200_001, 259_200_000, 259_200_001]),
)


@st.composite
def ring_strategies(draw: st.DrawFn) -> RingStrategy:
    """Any two disjoint stages; no second one without a first."""
    stages = draw(st.lists(st.sampled_from([0, 1, 2]), min_size=len(Endpoint), max_size=len(Endpoint)))
    first = tuple(endpoint for endpoint, stage in zip(Endpoint, stages, strict=True) if stage == 1)
    second = tuple(endpoint for endpoint, stage in zip(Endpoint, stages, strict=True) if stage == 2)
    return RingStrategy(ring_first=first, ring_secondly=second if first else ())


@st.composite
def devices(draw: st.DrawFn) -> tuple[DeviceFacts, ...]:
    """Up to three phones in any state."""
    return tuple(
        a_device(
            f"phone-{number}",
            provider=draw(st.sampled_from(Provider)),
            kinds=draw(st.sets(st.sampled_from(sorted(REGISTRABLE_KINDS)))),
            muted=draw(st.sampled_from([False, False, False, True])),
            state=draw(st.sampled_from([DeviceState.ACTIVE, DeviceState.ACTIVE, DeviceState.NEEDS_REREGISTER])),
            has_voip_token=draw(st.booleans()),
            rings_only=draw(st.sampled_from([False, False, True])),
        )
        for number in range(draw(st.integers(0, 3)))
    )


policies = st.builds(
    TenantPolicy,
    max_age_seconds=st.dictionaries(st.sampled_from(TOLD_KINDS), st.integers(1, 120), max_size=3),
    missed_with_voicemail=st.sampled_from(MissedWithVoicemail),
    wake_needs_accept_push=st.booleans(),
    ring_first_seconds=st.integers(1, 300),
    quiet_statuses=st.sampled_from([("do_not_disturb",), (), ("off_work", "do_not_disturb")]),
    custom_statuses=st.sampled_from([(), ("training",)]),
    bypass=st.builds(Bypass, vip=st.booleans(), repeat_caller=st.booleans()),
)

call_pushes = st.builds(
    CallPush,
    push_id=st.uuids(version=4).map(str),
    device_id=st.sampled_from(["phone-0", "phone-1", "phone-2"]),
    kind=st.sampled_from([PushKind.CALL_MISSED, PushKind.CALL_INCOMING, PushKind.CALL_WITHDRAWN]),
    state=st.sampled_from(PushState),
)


def calls(*, with_pushes: bool) -> st.SearchStrategy[CallState | None]:
    """What may be known of the call."""
    rarely = st.sampled_from([False, False, False, True])
    pushes = st.lists(call_pushes, max_size=3).map(tuple) if with_pushes else st.just(())
    return st.none() | st.builds(
        CallState,
        call_id=st.just(CALL_ID),
        via=st.none() | st.sampled_from(Via),
        answered_here=rarely,
        answered_elsewhere=rarely,
        answered_by=st.none() | st.just("1002"),
        forwarded=rarely,
        ended=rarely,
        voicemail=rarely,
        missed_event=st.none() | st.just("01JEARLIER"),
        pushes=pushes,
    )


_unseen = st.lists(
    st.builds(UnseenItem, event_id=st.uuids(version=4).map(str), at=st.integers(NOW - 100_000, NOW)), max_size=3
).map(tuple)
unreads = st.builds(
    Unread,
    missed=_unseen,
    voicemails=_unseen,
    mailbox_new=st.integers(0, 4),
    mailbox_at=st.just(0) | st.integers(NOW - 100_000, NOW),
    told=st.integers(0, 6),
)


@st.composite
def events(draw: st.DrawFn, kinds: tuple[EventKind, ...]) -> PbxEvent:
    """Events of these kinds, of any age, also from the future or without a time."""
    return an_event(
        draw(st.sampled_from(kinds)),
        occurred_at=draw(st.none() | _AGES.map(lambda age: NOW - age)),
        direction=draw(st.sampled_from(Direction)),
        via=draw(st.none() | st.sampled_from(Via)),
        ring_stage=draw(st.sampled_from([None, 1, 2])),
        disposition=draw(st.none() | st.sampled_from(Disposition)),
        answered_by=draw(st.sampled_from([None, None, None, EXTENSION, "1002"])),
        caller=Caller(number=draw(st.sampled_from(_NUMBERS)), name="Zoë 👩‍🚀"),
        mailbox_new=draw(st.integers(0, 4)),
        presence=draw(st.sampled_from(["away", "do_not_disturb", "gone_fishing"])),
    )


@st.composite
def random_facts(
    draw: st.DrawFn, *, kinds: tuple[EventKind, ...] = tuple(EventKind), with_pushes: bool = False
) -> Facts:
    """Facts of any decision about these kinds."""
    recent = st.builds(
        RecentCall,
        number=st.sampled_from(_NUMBERS),
        at=st.integers(NOW - 400_000, NOW),
        call_id=st.sampled_from([CALL_ID, "another"]),
    )
    return facts(
        draw(events(kinds)),
        status=draw(st.sampled_from([*(status.value for status in Status), "training", "gone_fishing"])),
        accept_push=draw(st.booleans()),
        ring=draw(ring_strategies()),
        ring_timeout=draw(st.integers(5, 300)),
        always=draw(st.sets(st.sampled_from(Direction))),
        call=draw(calls(with_pushes=with_pushes)),
        unread=draw(unreads),
        devices=draw(devices()),
        policy=draw(policies),
        vip_callers=draw(st.lists(st.sampled_from(["+4915112345678", "1002", "anonymous"]), max_size=2).map(tuple)),
        recent_calls=draw(st.lists(recent, max_size=2).map(tuple)),
    )
