"""Who passes the push switch and the ring strategy, and what is remembered to know it."""

from dataclasses import replace

import pytest

from gateway.domain.event import Caller, EventKind
from gateway.domain.extension import RecentCall
from gateway.domain.tenant_policy import Bypass, TenantPolicy
from gateway.policy.bypass import bypass, digits, remembered
from tests.support.facts import CALL_ID, CALLER, NOW, an_event, facts

VIP = TenantPolicy(bypass=Bypass(vip=True))
REPEAT = TenantPolicy(bypass=Bypass(repeat_caller=True))


def _earlier(*, ago: int = 60_000, number: str = CALLER.number, call_id: str = "earlier") -> RecentCall:
    return RecentCall(number=number, at=NOW - ago, call_id=call_id)


def test_nobody_passes_by_default() -> None:
    assert bypass(facts(vip_callers=(CALLER.number,), recent_calls=(_earlier(),))) is None


@pytest.mark.parametrize(
    ("vip", "passes"), [("+4915112345678", True), ("49 151 123-45678", True), ("+4915112345679", False), ("", False)]
)
def test_a_vip_is_known_by_the_digits_of_its_number(vip: str, passes: bool) -> None:
    assert (bypass(facts(policy=VIP, vip_callers=(vip,))) is not None) is passes


@pytest.mark.parametrize("number", ["", "anonymous"])
def test_a_withheld_number_is_nobody(number: str) -> None:
    case = facts(
        policy=TenantPolicy(bypass=Bypass(vip=True, repeat_caller=True)),
        caller=Caller(number=number),
        vip_callers=(number,),
        recent_calls=(_earlier(number=number),),
    )
    assert bypass(case) is None
    assert remembered(case) is None


@pytest.mark.parametrize(
    ("earlier", "passes"),
    [
        (_earlier(), True),
        (_earlier(ago=180_000), True),
        (_earlier(ago=180_001), False),
        (_earlier(number="+49 30 1"), False),
        (_earlier(call_id=CALL_ID), False),
    ],
    ids=["a minute ago", "three minutes ago", "longer ago", "somebody else", "the same call"],
)
def test_the_same_caller_twice_in_three_minutes_passes(earlier: RecentCall, passes: bool) -> None:
    assert (bypass(facts(policy=REPEAT, recent_calls=(earlier,))) is not None) is passes


def test_calls_are_remembered_only_where_the_tenant_uses_them() -> None:
    assert remembered(facts(policy=VIP)) is None
    assert remembered(facts(policy=REPEAT)) == (RecentCall(number=CALLER.number, at=NOW, call_id=CALL_ID),)


def test_an_event_without_a_call_is_not_remembered() -> None:
    case = facts(an_event(EventKind.VOICEMAIL_NEW, call_id=None), policy=REPEAT, recent_calls=(_earlier(),))
    assert remembered(replace(case, event=replace(case.event, caller=CALLER))) is None
    assert bypass(replace(case, event=replace(case.event, caller=CALLER))) is not None


def test_what_is_remembered_is_young_once_a_call_and_at_most_twenty() -> None:
    calls = (
        _earlier(ago=180_001, call_id="old"),
        _earlier(ago=10, call_id=CALL_ID),
        *(_earlier(call_id=str(number)) for number in range(30)),
    )
    kept = remembered(facts(policy=REPEAT, recent_calls=calls))
    assert kept is not None
    assert [call.call_id for call in kept] == [*(str(number) for number in range(11, 30)), CALL_ID]


def test_digits_are_all_that_counts_of_a_number() -> None:
    assert digits("+49 (151) 123-45") == "4915112345"
