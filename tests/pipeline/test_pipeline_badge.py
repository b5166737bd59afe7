"""The number on the icon is the one of the moment of sending, however long a push has waited."""

import pytest

from gateway.domain.event import EventKind
from gateway.domain.outcome import NotSent, Outcome, TryLater, Unknown
from gateway.domain.presence import StatusSettings
from gateway.domain.push import PushKind
from gateway.policy.badge import NOT_KNOWN
from gateway.settings import Settings
from tests.support.pipeline import EXTENSION, TENANT, Pipeline
from tests.support.store import TestClock

LATE = [TryLater(reason="ServiceUnavailable"), Unknown(reason="timeout"), NotSent(reason="goaway")]


def sent(pipeline: Pipeline) -> list[tuple[PushKind, int | None]]:
    return [(one.push.kind, one.push.badge) for one in pipeline.ios.sent]


@pytest.mark.parametrize("outcome", LATE, ids=lambda outcome: outcome.reason)
async def test_a_repeat_brings_the_number_of_now(pipeline: Pipeline, outcome: Outcome) -> None:
    await pipeline.register()
    pipeline.ios.script.append(outcome)
    await pipeline.accept()
    await pipeline.deliver_waiting()
    await pipeline.accept()
    await pipeline.deliver_all()
    assert sent(pipeline) == [(PushKind.CALL_MISSED, 1), (PushKind.CALL_MISSED, 2), (PushKind.CALL_MISSED, 2)]


async def test_a_repeat_after_the_user_has_seen_all_brings_nought(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="ServiceUnavailable"))
    await pipeline.accept()
    await pipeline.deliver_waiting()
    await pipeline.services.inbox.mark_seen(pipeline.tenant, EXTENSION, None)
    await pipeline.deliver_all()
    assert pipeline.ios.phones["iphone"].badge == 0


async def test_a_number_that_waits_behind_alerts_is_not_older_than_theirs(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=5)
    clock.pass_seconds(1)
    await pipeline.accept()
    await pipeline.deliver_all()
    assert {badge for _, badge in sent(pipeline)} == {6}


async def test_what_was_seen_while_pushes_are_off_is_not_put_back_by_a_repeat_and_the_mailbox_is_told_again(
    pipeline: Pipeline, clock: TestClock
) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="ServiceUnavailable"))
    await pipeline.accept()
    await pipeline.deliver_waiting()
    await _accept_push(pipeline, accept=False)
    await pipeline.services.inbox.mark_seen(pipeline.tenant, EXTENSION, None)
    await pipeline.deliver_all()
    assert pipeline.ios.phones["iphone"].badge == 0
    assert (await pipeline.store.extensions.load(TENANT, EXTENSION)).unread.told == NOT_KNOWN

    await _accept_push(pipeline, accept=True)
    clock.pass_seconds(60)
    await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=1)
    await pipeline.deliver_all()
    assert pipeline.ios.phones["iphone"].badge == 1


async def test_a_call_that_left_the_inbox_by_age_is_counted_no_more(
    pipeline: Pipeline, settings: Settings, clock: TestClock
) -> None:
    await pipeline.register()
    await pipeline.accept()
    clock.pass_seconds(settings.store.journal_retention_hours * 3600 - 60)
    await pipeline.accept()
    clock.pass_seconds(120)
    await pipeline.deliver_all()
    assert sent(pipeline) == [(PushKind.CALL_MISSED, 1)]


async def _accept_push(pipeline: Pipeline, *, accept: bool) -> None:
    settings = StatusSettings(accept_push_notifications=accept)
    change = pipeline.services.presence.change_settings
    await change(pipeline.tenant, EXTENSION, "available", lambda _: settings)
