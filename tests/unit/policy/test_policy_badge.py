"""The badge: unseen missed calls and unread voicemails; never negative; the mailbox's word is the truth."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.extension import InboxItem, InboxKind, Unread, UnseenItem
from gateway.policy import badge as badges
from tests.support.facts import NOW


def _unseen(event_id: str = "e", at: int = NOW) -> UnseenItem:
    return UnseenItem(event_id=event_id, at=at)


def _item(event_id: str = "e", kind: InboxKind = InboxKind.VOICEMAIL_NEW) -> InboxItem:
    return InboxItem(event_id=event_id, kind=kind, occurred_at=NOW)


MISSED = InboxKind.CALL_MISSED


def test_missed_calls_and_voicemails_are_added_up() -> None:
    unread = badges.with_voicemail(badges.with_missed(Unread(mailbox_new=2), _unseen("m")), _unseen("v"))
    assert badges.badge(unread) == 4


def test_the_mailbox_says_the_truth_about_every_message_left_until_then() -> None:
    unread = badges.with_voicemail(badges.with_voicemail(Unread(), _unseen("a", NOW - 10)), _unseen("b", NOW + 10))
    assert badges.badge(badges.with_mailbox(unread, 5, NOW)) == 6


def test_a_message_that_the_mailbox_has_counted_is_not_counted_again() -> None:
    unread = badges.with_mailbox(Unread(), 1, NOW)
    assert badges.with_voicemail(unread, _unseen(at=NOW)) == unread
    assert badges.badge(badges.with_voicemail(unread, _unseen(at=NOW + 1))) == 2


def test_an_older_count_of_the_mailbox_changes_nothing() -> None:
    unread = badges.with_mailbox(Unread(), 1, NOW)
    assert badges.with_mailbox(unread, 9, NOW - 1) == unread


def test_an_emptied_mailbox_leaves_the_missed_calls() -> None:
    unread = badges.with_missed(badges.with_voicemail(Unread(), _unseen(at=NOW - 1)), _unseen("m"))
    assert badges.badge(badges.with_mailbox(unread, 0, NOW)) == 1


def test_a_nonsense_count_is_none() -> None:
    assert badges.badge(badges.with_mailbox(Unread(), -3, NOW)) == 0


def test_seen_takes_one_away_and_never_goes_below_nothing() -> None:
    unread = badges.with_missed(badges.with_voicemail(Unread(mailbox_new=1), _unseen("v")), _unseen("m"))
    for item, left in (
        (_item("v"), 2),
        (_item("counted by the mailbox"), 1),
        (_item("m", MISSED), 0),
        (_item("m", MISSED), 0),
        (_item("w"), 0),
    ):
        unread = badges.with_seen(unread, item)
        assert badges.badge(unread) == left


def test_items_that_left_the_inbox_by_age_are_not_counted() -> None:
    unread = Unread(missed=(_unseen("a", 1), _unseen("b", 3)), voicemails=(_unseen("c", 1), _unseen("d", 3)))
    assert badges.badge(badges.since(unread, 2)) == 2


def test_no_more_is_counted_than_the_inbox_holds() -> None:
    unread = Unread()
    for number in range(badges.MAX_UNSEEN + 5):
        unread = badges.with_missed(badges.with_voicemail(unread, _unseen(f"v{number}")), _unseen(f"m{number}"))
    assert badges.badge(unread) == 2 * badges.MAX_UNSEEN
    assert unread.missed[-1].event_id == f"m{badges.MAX_UNSEEN + 4}"


def test_what_phones_show_is_remembered_or_not_known() -> None:
    assert badges.told(Unread(mailbox_new=2)).told == 2
    assert badges.untold(Unread(mailbox_new=2)).told == badges.NOT_KNOWN


_steps = st.lists(
    st.tuples(st.sampled_from(["missed", "voicemail", "mailbox", "seen", "unmissed"]), st.integers(0, 5)), max_size=30
)


@given(_steps)
def test_whatever_happens_the_badge_is_never_negative(steps: list[tuple[str, int]]) -> None:
    unread = Unread()
    for step, number in steps:
        match step:
            case "missed":
                unread = badges.with_missed(unread, _unseen(str(number), number))
            case "voicemail":
                unread = badges.with_voicemail(unread, _unseen(str(number), number))
            case "mailbox":
                unread = badges.with_mailbox(unread, number - 2, number)
            case "seen":
                unread = badges.with_seen(unread, _item(str(number), list(InboxKind)[number % 2]))
            case _:
                unread = badges.without_missed(unread, str(number))
        assert badges.badge(unread) >= 0
        assert unread.mailbox_new >= 0
