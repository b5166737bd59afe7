"""The API keeps to its own document, whatever is sent to it. `make fuzz` does the same for longer."""

import json
import re
from pathlib import Path

from tests.support.api_fuzz import fuzz_api
from tests.support.gateway import open_gateway


async def test_no_request_finds_an_answer_that_the_document_does_not_have(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        found = await fuzz_api(gateway, "--max-examples", "8", "--generation-deterministic")
        entries = [json.loads(line) for line in gateway.log.splitlines()]

    assert found.good, found.report
    (tested,) = re.findall(r"Tested: (\d+)", found.report)
    (generated,) = re.findall(r"(\d+) generated", found.report)
    assert int(tested) > 30
    assert int(generated) > 800
    assert [entry for entry in entries if entry["level"] in ("error", "critical")] == []
