"""`python -m gateway.simulator`: APNs and FCM stand-ins with virtual phones (docs/simulator.md)."""

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.simulator.options import SimulatorOptions
from gateway.simulator.server import run_simulator


def read_options(arguments: Sequence[str] | None = None) -> SimulatorOptions:
    """Options from the command line; exits with 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m gateway.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--apns-port", type=int, default=2197, help="APNs production; 0: a free port")
    parser.add_argument("--apns-sandbox-port", type=int, help="APNs sandbox; default: ten above --apns-port")
    parser.add_argument("--fcm-port", type=int, default=2198, help="FCM and its token endpoint")
    parser.add_argument("--control-port", type=int, default=2199, help="control API")
    parser.add_argument("--dir", type=Path, default=Path("var/simulator"), help="where credentials are written")
    parser.add_argument("--strict-tokens", action="store_true", help="refuse tokens that were not made by PUT /phones")
    parser.add_argument("--topic", action="append", default=[], help="bundle id the keys may push to; default: any")
    parser.add_argument("--over-limit", choices=("refuse", "goaway"), default="refuse", help="streams over the limit")
    parser.add_argument("--history", type=int, default=20_000, help="pushes kept for GET /pushes")
    parser.add_argument("--access-token-seconds", type=int, default=3599, help="life of OAuth access tokens")
    given = parser.parse_args(arguments)
    return SimulatorOptions(
        directory=given.dir,
        host=given.host,
        apns_port=given.apns_port,
        apns_sandbox_port=given.apns_sandbox_port,
        fcm_port=given.fcm_port,
        control_port=given.control_port,
        strict_tokens=given.strict_tokens,
        topics=tuple(given.topic),
        over_limit=given.over_limit,
        history=given.history,
        access_token_seconds=given.access_token_seconds,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. 0 done, 1 it could not listen or write, 2 wrong usage."""
    options = read_options(arguments)
    try:
        serve(options)
    except OSError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    return 0


def serve(options: SimulatorOptions) -> None:
    """Run in the foreground, on uvloop where there is one."""
    # The recorded pushes are many long-lived objects: the oldest generation is worth a look only seldom.
    gc.set_threshold(20_000, 20, 100)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run_simulator(options))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none for Windows

    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
