"""What untrusted bytes meet first, one target each: any input is taken, or refused with a `GatewayError`.

As a program it fuzzes one of them with atheris: `python -m tests.fuzz.dialects NAME [CORPUS] [libFuzzer options]`.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.domain.errors import GatewayError
from gateway.ingress import cloudevents, signatures, strict_json, yeastar

_ZONE = ZoneInfo("Europe/Berlin")
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_MEDIA = ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json", "text/plain")


def read_json(raw: bytes) -> None:
    """Strict JSON; what it reads can be written again."""
    value = strict_json.loads(raw)
    json.dumps(value)


def read_cloudevents(raw: bytes) -> None:
    """CloudEvents in the three modes: the first byte chooses, binary attributes are lines before the body."""
    head, _, body = raw[1:].partition(b"\n\n")
    lines = (line.partition(b":") for line in head.split(b"\n")) if raw[:1] > b"\x7f" else ()
    headers = {name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, _, value in lines}
    headers["content-type"] = _MEDIA[raw[0] % len(_MEDIA)] if raw else ""
    cloudevents.read(headers, body if lines else raw[1:])


def read_yeastar(raw: bytes) -> None:
    """Yeastar P-Series webhooks."""
    yeastar.read(raw, timezone=_ZONE)


def read_yeastar_message(raw: bytes) -> None:
    """The inner message of each event id, as a string in the envelope."""
    event = 30005 + (raw[0] % 36 if raw else 0)
    document = {"type": event, "sn": "1", "msg": raw[1:].decode("utf-8", "replace")}
    yeastar.read(json.dumps(document).encode(), timezone=_ZONE)


def verify_signatures(raw: bytes) -> None:
    """Headers of both signature schemes, line by line."""
    lines = raw.decode("latin-1").split("\n")
    names = ("webhook-id", "webhook-timestamp", "webhook-signature", "x-signature")
    headers = dict(zip(names, lines, strict=False))
    with suppress(GatewayError):
        signatures.verify_standard_webhook([_SECRET, lines[-1]], headers, raw, 1_800_000_000_000)
        raise AssertionError("a forged signature was believed")
    with suppress(GatewayError):
        signatures.verify_yeastar([_SECRET], headers, raw)
        raise AssertionError("a forged signature was believed")


DIALECTS: Mapping[str, Callable[[bytes], None]] = {
    "json": read_json,
    "cloudevents": read_cloudevents,
    "yeastar": read_yeastar,
    "yeastar-message": read_yeastar_message,
    "signatures": verify_signatures,
}


def seeds(name: str) -> list[bytes]:
    """Good inputs to begin with: the samples of the dialect."""
    folder = Path(__file__).parents[1] / "samples" / name.partition("-")[0]
    documents = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))] if folder.is_dir() else []
    bodies = [json.dumps(document.get("body", document)) for document in documents if isinstance(document, dict)]
    return [b"\x80" + body.encode() if name in ("cloudevents", "yeastar-message") else body.encode() for body in bodies]


def take(name: str, raw: bytes) -> None:
    """One input for one target."""
    with suppress(GatewayError):
        DIALECTS[name](raw)


def main() -> None:
    """Fuzz until the time is over."""
    atheris = import_module("atheris")  # it is not there on every platform
    name, corpus, *options = sys.argv[1:]
    for number, seed in enumerate(seeds(name)):
        Path(corpus, f"seed-{number}").write_bytes(seed)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], corpus, *options], lambda raw: take(name, raw))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
