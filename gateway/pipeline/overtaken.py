"""A number that was overtaken on its way is told again.

Each push brings the badge of the moment in which it is loaded. Two that are on their way at once may arrive in the
other order, also at the provider's end, and one that waits for a stream of the provider's arrives long after it was
loaded: the icon then shows an old number until the next push. So whoever settles an accepted push compares the number
that it brought with the present one. Where they differ, a badge-only push follows a little later; it is counted anew
when it is sent, and compared in its turn. When nothing moves any more, every phone shows the present number.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.domain.event import Millis
from gateway.domain.extension import ExtensionState, Unread
from gateway.domain.push import Push, PushKind, derive_push_id
from gateway.policy.pushes import badge_push
from gateway.store import Store

TOGETHER_MS: Millis = 2000
"""Numbers of one phone that are overtaken within so long are corrected by one push."""
AFTERWARDS_MS: Millis = 500
"""And only when that time is over: none is corrected by a push that was sent before it."""
MOST_READINGS = 50


async def tell_again(
    store: Store, push: Push, *, now: Millis, counted: Callable[[Unread], int], custom_statuses: tuple[str, ...]
) -> None:
    """Tell the push's phone the present number, if it is still another than the one that the push brought, and the user
    wants to be told. Raises `StoreUnavailable`."""
    for _ in range(MOST_READINGS):
        state = await store.extensions.load(push.tenant, push.extension)
        badge = counted(state.unread)
        if badge == push.badge or not _is_told(state, push.device_id, custom_statuses):
            return
        if await store.extensions.see(state, state.unread, (), (_correction(push, badge, now),)):
            return


def _is_told(state: ExtensionState, device_id: str, custom_statuses: tuple[str, ...]) -> bool:
    _, settings = state.settings_for(state.presence.status, custom_statuses)
    device = state.device(device_id)
    return settings.accept_push_notifications and device is not None and device.takes(PushKind.BADGE)


def _correction(push: Push, badge: int, now: Millis) -> Push:
    """The same for all that are overtaken within a while, so that the store has it once."""
    while_ = now // TOGETHER_MS
    basis = f"{push.tenant}\n{push.extension}\n{while_}"
    correction = badge_push(
        event_id=push.event_id,
        tenant=push.tenant,
        extension=push.extension,
        device_id=push.device_id,
        badge=badge,
        now=now,
    )
    return replace(
        correction,
        push_id=derive_push_id(basis, push.device_id, PushKind.BADGE),
        not_before=(while_ + 1) * TOGETHER_MS + AFTERWARDS_MS,
    )
