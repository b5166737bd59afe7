"""The badge: unseen missed calls + unread voicemails of an extension. Never negative, the same on every device."""

from dataclasses import replace

from gateway.domain.event import Millis
from gateway.domain.extension import InboxItem, InboxKind, Unread, UnseenItem

MAX_UNSEEN = 500
"""Unseen items of one kind that are counted one by one; the inbox holds no more."""

NOT_KNOWN = -1
"""`Unread.told` when it is not known which number phones show: differs from every badge."""


def badge(unread: Unread) -> int:
    """The number on the app icon."""
    return len(unread.missed) + len(unread.voicemails) + unread.mailbox_new


def with_missed(unread: Unread, item: UnseenItem) -> Unread:
    """One more missed call."""
    return replace(unread, missed=(*unread.missed, item)[-MAX_UNSEEN:])


def without_missed(unread: Unread, event_id: str) -> Unread:
    """That call turned out not to be missed."""
    return replace(unread, missed=tuple(item for item in unread.missed if item.event_id != event_id))


def with_voicemail(unread: Unread, item: UnseenItem) -> Unread:
    """One more message, unless the mailbox was counted after it was left: then it is in that count."""
    if item.at <= unread.mailbox_at:
        return unread
    return replace(unread, voicemails=(*unread.voicemails, item)[-MAX_UNSEEN:])


def with_mailbox(unread: Unread, new: int, at: Millis) -> Unread:
    """The PBX's own count at `at`: the truth for every message left until then. An older count changes nothing."""
    if at < unread.mailbox_at:
        return unread
    later = tuple(item for item in unread.voicemails if item.at > at)
    return replace(unread, voicemails=later, mailbox_new=max(0, new), mailbox_at=at)


def with_seen(unread: Unread, item: InboxItem) -> Unread:
    """The user has seen an item that was unseen."""
    if item.kind is InboxKind.CALL_MISSED:
        return without_missed(unread, item.event_id)
    left = tuple(one for one in unread.voicemails if one.event_id != item.event_id)
    if len(left) < len(unread.voicemails):
        return replace(unread, voicemails=left)
    return replace(unread, mailbox_new=max(0, unread.mailbox_new - 1))


def since(unread: Unread, oldest: Millis) -> Unread:
    """Without the items that have left the inbox by age."""
    return replace(
        unread,
        missed=tuple(item for item in unread.missed if item.at >= oldest),
        voicemails=tuple(item for item in unread.voicemails if item.at >= oldest),
    )


def told(unread: Unread) -> Unread:
    """Phones are being told the present number."""
    return replace(unread, told=badge(unread))


def untold(unread: Unread) -> Unread:
    """What phones show is not known: a number on its way to them was stopped, or the count changed without a word to
    them and whatever is still on its way brings the new one. The next mailbox event tells them."""
    return replace(unread, told=NOT_KNOWN)
