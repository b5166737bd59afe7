"""A log line says what it belongs to and holds nothing private."""

import asyncio
import gc
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any, cast

import pytest
import structlog
from pydantic import BaseModel

from gateway.domain.device import Token
from gateway.domain.errors import StoreUnavailable
from gateway.settings import LogSettings, Secret
from gateway.telemetry.logs import REDACTED, configure_logs, redact
from gateway.telemetry.tracebacks import print_without_values


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_one_json_object_with_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    structlog.get_logger().info("event accepted", action="forward")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["action"]) == ("event accepted", "info", "forward")
    assert line["timestamp"].endswith("Z")


def test_a_pipe_gets_json_when_left_to_choose(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings())
    structlog.get_logger().info("ready")
    assert lines(capsys)[0]["event"] == "ready"


def test_request_event_and_push_are_on_every_line_below_their_binding(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    with structlog.contextvars.bound_contextvars(request_id="r", event_id="e", push_id="p"):
        structlog.get_logger().info("sent")
        logging.getLogger("library").warning("slow")
    structlog.get_logger().info("after")
    sent, slow, after = lines(capsys)
    for line in (sent, slow):
        assert (line["request_id"], line["event_id"], line["push_id"]) == ("r", "e", "p")
    assert not {"request_id", "event_id", "push_id"} & set(after)


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json", level="warning"))
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    assert [line["event"] for line in lines(capsys)] == ["yes"]


def test_libraries_are_heard_from_warning_on_also_while_we_debug(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json", level="debug"))
    logging.getLogger("google.auth").debug("access_token=ya29.x")
    logging.getLogger("aiohttp.server").error("boom")
    (line,) = lines(capsys)
    assert (line["logger"], line["event"], line["level"]) == ("aiohttp.server", "boom", "error")


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    configure_logs(LogSettings(format="json"))
    logging.getLogger("library").warning("once")
    assert len(lines(capsys)) == 1


def test_warnings_of_python_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old API", stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old API" in lines(capsys)[0]["event"]


class Strict(BaseModel):
    """A document."""

    caller: int


def _fails(how: str, secret: str) -> None:
    match how:
        case "a value that is no number":
            int(secret)
        case "a key that is not there":
            cast("dict[str, str]", {})[secret]
        case "a document that is not valid":
            Strict.model_validate({"caller": secret})
        case "an error of a library":
            raise RuntimeError(f"cannot parse {secret}")
        case "one that led to another":
            try:
                int(secret)
            except ValueError as error:
                raise LookupError(secret) from error
        case "a group":
            raise ExceptionGroup(secret, [ValueError(secret), KeyError(secret)])


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("a value that is no number", ["ValueError"]),
        ("a key that is not there", ["KeyError"]),
        ("a document that is not valid", ["ValidationError: Strict: caller (int_parsing)"]),
        ("an error of a library", ["RuntimeError"]),
        ("one that led to another", ["ValueError", "which led to:", "LookupError"]),
        ("a group", ["ExceptionGroup", "of which:", "ValueError", "KeyError"]),
    ],
)
def test_an_exception_is_told_without_values(
    capsys: pytest.CaptureFixture[str], format_: str, how: str, shown: list[str]
) -> None:
    configure_logs(LogSettings.model_validate({"format": format_}))
    try:
        _fails(how, "hunter" + str(2))
    except Exception:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed too")
    _, err = capsys.readouterr()
    assert all(err.count(part) >= 2 for part in shown)
    assert err.count("test_telemetry_logs.py") >= 4
    assert "hunter2" not in err


def test_messages_about_our_code_and_the_system_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    for error in (FileNotFoundError(2, "No such file", "/x"), TypeError("not callable"), StoreUnavailable("is away")):
        structlog.get_logger().error("failed", exc_info=error)
    _, err = capsys.readouterr()
    assert "FileNotFoundError: [Errno 2] No such file: '/x'" in err
    assert "TypeError: not callable" in err
    assert "StoreUnavailable: is away" in err


def test_what_nobody_caught_is_printed_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("hunter" + str(2))
    except ValueError as error:
        print_without_values(type(error), error, error.__traceback__)
    _, err = capsys.readouterr()
    assert err.endswith("ValueError\n")
    assert "hunter2" not in err


async def test_a_task_that_failed_unnoticed_is_told_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))

    async def fail() -> None:
        raise ValueError("hunter" + str(2))

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task
    gc.collect()
    (line,) = lines(capsys)
    assert (line["logger"], line["event"]) == ("asyncio", "Task exception was never retrieved")
    assert "ValueError" in line["exception"]
    assert "hunter2" not in str(line)


def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="console"))
    structlog.get_logger().warning("queue is long", depth=7)
    _, err = capsys.readouterr()
    assert "[warning  ] queue is long" in err
    assert "depth=7" in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "voip_token",
        "Authorization",
        "X-Signature",
        "secret",
        "secrets",
        "client_secret",
        "key",
        "api-key",
        "api_keys",
        "number",
        "caller_number",
        "password",
    ],
)
def test_the_value_of_a_private_name_is_never_written(name: str) -> None:
    event = {name: "hunter2", "deep": [{"er": {name: ["hunter2"]}}]}
    assert redact(None, "info", event) == {name: REDACTED, "deep": [{"er": {name: REDACTED}}]}


@pytest.mark.parametrize("name", ["token_hint", "key_id", "monkey", "extension", "numbered", "event"])
def test_other_names_are_left_as_they_are(name: str) -> None:
    assert redact(None, "info", {name: "x"}) == {name: "x"}


def test_nothing_is_not_made_up() -> None:
    assert redact(None, "info", {"voip_token": None}) == {"voip_token": None}


def test_a_deep_value_is_cut() -> None:
    value: Any = "bottom"
    for _ in range(50):
        value = {"a": value}
    assert "bottom" not in str(redact(None, "info", {"a": value}))


def test_secrets_and_tokens_print_themselves_masked_under_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    structlog.get_logger().info("seen", mine=Secret("hunter2"), phone=Token("0123456789abcdef"))
    (line,) = lines(capsys)
    assert (line["mine"], line["phone"]) == ("**********", "Token(…cdef)")


@pytest.mark.parametrize("value", [2**70, "\ud800", {1: "x"}, b"bytes", {3.5}])
def test_no_value_costs_the_line(capsys: pytest.CaptureFixture[str], value: object) -> None:
    configure_logs(LogSettings(format="json"))
    structlog.get_logger().info("odd", value=value)
    assert lines(capsys)[0]["event"] == "odd"
