"""Forwarding to numbers: read from a Yeastar PBX, and written back where it used the code itself."""

from typing import Any

from gateway.domain.presence import default_settings, parse_settings
from gateway.ingress.yeastar_settings import Dialect, changes_for, settings_from
from tests.support.yeastar_pbx import presence_list

PLAIN = Dialect(numbers={})


def row(**changes: Any) -> dict[str, Any]:
    """The PBX's settings of Away, with changes."""
    (found,) = [one for one in presence_list(away=changes) if one["status"] == "away"]
    return found


def always(**changes: Any) -> Any:
    """Where internal calls always go, as read."""
    settings, _ = settings_from(
        row(enb_in_always_forward=1, **changes),
        default_settings("away"),
        status="away",
        extension="1001",
        mobile_number="+4915112345678",
        dialect=PLAIN,
    )
    return settings.model_dump(mode="json")["call_forwarding"]["internal"]["always"]["destination"]


def test_an_external_number_has_its_own_field_and_a_prefix() -> None:
    read = always(
        in_always_forward_dest="external_number", in_always_forward_num="0301234", in_always_forward_prefix="9"
    )
    assert read == {"kind": "external_number", "value": "0301234", "prefix": "9"}


def test_the_mobile_number_is_the_profiles() -> None:
    read = always(in_always_forward_dest="mobile_number", in_always_forward_prefix="9")
    assert read == {"kind": "mobile_number", "value": None, "prefix": "9"}


def test_a_target_without_its_number_rings_nowhere_as_one_that_is_not_known_does() -> None:
    assert always(in_always_forward_dest="queue", in_always_forward_value="")["kind"] == "hang_up"


def test_a_number_is_written_back_where_the_pbx_used_the_code() -> None:
    present = row(enb_in_always_forward=1, in_always_forward_dest="external_number", in_always_forward_num="0301234")
    destination = {"kind": "external_number", "value": "0305678", "prefix": "9"}
    body = {"call_forwarding": {"internal": {"always": {"enabled": True, "destination": destination}}}}
    settings = parse_settings("away", body, extension="1001", mobile_number=None)
    changes = changes_for(present, settings, dialect=PLAIN)
    assert changes == {"in_always_forward_num": "0305678", "in_always_forward_prefix": "9"}
