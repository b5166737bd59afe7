"""schemathesis over the OpenAPI document against a running gateway, with every check it has."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import ADMIN_KEY, Gateway

CONFIG = """
[parameters]
"path.tenant" = "acme"
"path.source" = "crm"

# A body can fit its schema and break a rule between its fields, or name what the tenant does not have: 422. Data within
# it (`data_base64`) can be no JSON: 400.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429, 503]

# In a batch each item succeeds or is rejected for itself.
[[operations]]
include-path-regex = "/(events|hooks/[{]source[}])$"
[operations.checks.negative_data_rejection]
expected-statuses = [200, 400, 401, 403, 404, 405, 413, 422, 429, 503]

# These need a device that is there.
[[operations]]
include-path-regex = "/devices/[{]device_id[}]/"
parameters = { "path.extension" = "1001", "path.device_id" = "iphone" }
"""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What schemathesis found."""

    good: bool
    report: str


async def fuzz_api(gateway: Gateway, *words: str) -> Fuzzed:
    """Run schemathesis with these further options. Nothing of it stays behind."""
    directory = gateway.directory / "fuzz"
    directory.mkdir(exist_ok=True)
    config = directory / "schemathesis.toml"
    config.write_text(CONFIG)
    await gateway.register_iphone()
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file",
        str(config),
        "--no-color",
        "run",
        f"{gateway.url}/openapi.json",
        "--header",
        f"Authorization: Bearer {ADMIN_KEY}",
        "--checks",
        "all",
        *words,
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    return Fuzzed(process.returncode == 0, report.decode(errors="replace"))
