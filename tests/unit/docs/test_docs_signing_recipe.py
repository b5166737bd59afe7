"""The shell recipe of docs/pbx/generic.md signs as the gateway verifies."""

import base64
import os
import re
import subprocess
from pathlib import Path

from gateway.ingress.signatures import verify_standard_webhook

PAGE = Path(__file__).resolve().parents[3] / "docs" / "pbx" / "generic.md"


def test_the_shell_recipe_makes_a_signature_that_is_accepted() -> None:
    (recipe,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    body = '{"a": "ü"}'
    environment = {"PATH": os.environ["PATH"], "CRM_SECRET": secret, "body": body}
    script = 'curl() { printf "%s\\n" "$@"; }\n' + recipe
    done = subprocess.run(["bash", "-euc", script], env=environment, capture_output=True, text=True, check=True)
    headers = dict(
        line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line and not line.startswith("{")
    )
    now = int(headers["webhook-timestamp"]) * 1000
    assert verify_standard_webhook([secret], headers, body.encode(), now) == headers["webhook-id"]
