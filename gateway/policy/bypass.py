"""Callers that pass the push switch and the ring strategy (`policy.bypass`; off by default)."""

from gateway.domain.decision import Facts
from gateway.domain.event import Millis
from gateway.domain.extension import RecentCall

REPEAT_WITHIN: Millis = 180_000
"""The same caller twice within three minutes is urgent, as phones' own Do Not Disturb has it."""


def bypass(facts: Facts) -> str | None:
    """Why this caller passes rules 6 and 8; None: does not."""
    number = digits(facts.event.caller.number)
    if not number:
        return None
    if facts.policy.bypass.vip and number in {digits(vip) for vip in facts.vip_callers}:
        return "the caller is one of vip_callers"
    if facts.policy.bypass.repeat_caller and any(_repeats(facts, call) for call in facts.recent_calls):
        return "the caller called twice within three minutes"
    return None


def remembered(facts: Facts) -> tuple[RecentCall, ...] | None:
    """The recent calls with this one; None when nothing has to be remembered."""
    event = facts.event
    if not facts.policy.bypass.repeat_caller or event.call is None or not digits(event.caller.number):
        return None
    kept = [
        call for call in facts.recent_calls if facts.now - call.at <= REPEAT_WITHIN and call.call_id != event.call.id
    ]
    return (*kept, RecentCall(number=event.caller.number, at=facts.happened_at, call_id=event.call.id))[-20:]


def digits(number: str) -> str:
    """A number as it is compared: digits only."""
    return "".join(character for character in number if character.isdigit())


def _repeats(facts: Facts, earlier: RecentCall) -> bool:
    this_call = facts.event.call.id if facts.event.call else ""
    return (
        earlier.call_id != this_call
        and digits(earlier.number) == digits(facts.event.caller.number)
        and abs(facts.happened_at - earlier.at) <= REPEAT_WITHIN
    )
