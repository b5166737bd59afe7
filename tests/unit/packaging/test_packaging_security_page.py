"""docs/security.md: what it names exists, and what it says of defaults is so."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.ingress import strict_json
from gateway.settings import ServerSettings, StoreSettings
from gateway.settings.sections import MIN_KEY_LENGTH
from gateway.settings.tenants import MIN_HS256_KEY_BYTES, MIN_RSA_BITS, MIN_WEBHOOK_KEY_BYTES, MIN_YEASTAR_SECRET
from gateway.web.rates import MOST_BUCKETS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()
WORDS = " ".join(PAGE.split())
SERVER = ServerSettings()


def test_every_key_that_it_names_exists() -> None:
    sections: dict[str, type[BaseModel]] = {"server": ServerSettings, "store": StoreSettings}
    named = re.findall(r"`(server|store)\.([a-z_]+)`", PAGE)
    assert len(named) > 15
    for section, key in named:
        assert key in sections[section].model_fields, f"{section}.{key}"


def test_every_limit_of_the_server_is_on_the_page() -> None:
    for key in ServerSettings.model_fields:
        if key.startswith("max_") or "limit" in key or "timeout" in key or key == "allow_private_urls":
            assert f"`server.{key}`" in PAGE, key


@pytest.mark.parametrize(
    "said",
    [
        f"{SERVER.max_body_bytes // 1024} KiB",
        f"{SERVER.max_header_bytes} bytes, 128 headers",
        f"{SERVER.read_timeout_seconds:g} s each",
        f"{SERVER.idle_timeout_seconds:g} s",
        f"{SERVER.max_connections}, fewer",
        f"{SERVER.user_rate_limit_per_second:g}/s, {SERVER.user_rate_limit_burst} at once",
        f"{SERVER.failed_proof_limit_per_second:g}/s, {SERVER.failed_proof_limit_burst} at once",
        f"{StoreSettings().max_queue_depth:,}; off",
        f"at most {MOST_BUCKETS:,} callers",
        f"depth {strict_json.MAX_DEPTH}",
        f"API keys below {MIN_KEY_LENGTH} characters",
        f"HS256 keys below {MIN_HS256_KEY_BYTES} bytes",
        f"Standard Webhooks secrets below {MIN_WEBHOOK_KEY_BYTES} bytes",
        f"Yeastar secrets below {MIN_YEASTAR_SECRET} characters",
        f"RSA below {MIN_RSA_BITS} bits",
    ],
)
def test_the_numbers_are_those_of_the_code(said: str) -> None:
    assert said in WORDS


def test_the_test_and_the_targets_that_it_names_exist() -> None:
    for place in re.findall(r"`(tests/[\w./]+)`", PAGE):
        assert (ROOT / place).exists(), place
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make\s+(\w+)`", PAGE):
        assert f"\n{target}:" in makefile
