"""`push-gateway`: the commands. Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration."""

import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop

from gateway import __version__, bootstrap
from gateway.commands import check_config as checking
from gateway.commands import dead_letters as letters
from gateway.commands import decide as deciding
from gateway.commands import seal_tokens as sealing
from gateway.commands import send_test as testing
from gateway.commands.printing import print_problems
from gateway.demo.run import demo as play_demo
from gateway.domain.errors import CannotServe, ConfigurationError, StoreUnavailable
from gateway.pipeline.services import Role
from gateway.settings import LogSettings, Settings, load_settings
from gateway.simulator.__main__ import serve as serve_simulator
from gateway.simulator.options import SimulatorOptions
from gateway.telemetry.logs import configure_logs
from gateway.telemetry.tracebacks import print_without_values
from gateway.web.openapi import openapi_document

FAILED = 1
WRONG = 2

app = typer.Typer(
    name="push-gateway",
    help="Missed calls and voicemails from your telephone system to sleeping phones, by each user's presence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dead_letters = typer.Typer(help="Work on pushes that were given up.", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")

Config = Annotated[Path, typer.Option("--config", help="The configuration file (TOML).")]
Tenant = Annotated[str, typer.Option("--tenant", help="Id of the tenant.")]
Value = TypeVar("Value")


def main() -> None:
    """Entry point of `push-gateway` and `python -m gateway`."""
    sys.excepthook = print_without_values
    try:
        app()
    except ConfigurationError as error:
        print_problems(error)
        sys.exit(WRONG)
    except StoreUnavailable as error:
        print(f"store: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except CannotServe as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)


def _run(work: Coroutine[Any, Any, Value]) -> Value:
    return uvloop.run(work)


def _succeeded(good: bool) -> None:
    if not good:
        raise typer.Exit(FAILED)


def _quietly(path: Path) -> Settings:
    """The configuration for a command that prints its own result: only errors are logged."""
    settings = load_settings(path)
    configure_logs(LogSettings(level="error", format=settings.log.format))
    return settings


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Verify and exit: 0 as expected, 1 not.")] = False,
    port: Annotated[int, typer.Option(help="Port of the gateway; 0: any free one.", min=0, max=65535)] = 8080,
) -> None:
    """The main job on this machine: embedded store, simulated APNs and FCM, two phones, signed PBX events."""
    _succeeded(_run(play_demo(once=once, port=port)))


@app.command()
def serve(
    config: Config,
    role: Annotated[Role, typer.Option(help="What this process does.")] = Role.ALL,
) -> None:
    """Run the gateway. SIGTERM drains and exits 0."""
    settings = load_settings(config)
    configure_logs(settings.log)
    _run(bootstrap.serve(settings, role))


@app.command()
def simulator(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    apns_port: Annotated[int, typer.Option(help="APNs stand-in.", min=0, max=65535)] = 2197,
    fcm_port: Annotated[int, typer.Option(help="FCM stand-in.", min=0, max=65535)] = 2198,
    control_port: Annotated[int, typer.Option(help="Control API.", min=0, max=65535)] = 2199,
    directory: Annotated[Path, typer.Option("--dir", help="Where CA, .p8 key and service account are written.")] = Path(
        "var/simulator"
    ),
) -> None:
    """Run the APNs and FCM stand-ins with their virtual phones."""
    options = SimulatorOptions(
        directory=directory, host=host, apns_port=apns_port, fcm_port=fcm_port, control_port=control_port
    )
    try:
        serve_simulator(options)
    except OSError as error:
        print(f"simulator: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from error


@app.command("check-config")
def check_config(config: Config) -> None:
    """Validate everything (files, keys, credentials, store) without serving."""
    configure_logs(LogSettings(level="error"))
    if not _run(checking.check_config(config)):
        raise typer.Exit(WRONG)


@app.command()
def decide(
    event: Annotated[Path, typer.Argument(help="A CloudEvent as JSON; - reads standard input.")],
    config: Config,
    tenant: Tenant,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Dry run of the policy: what would be decided about an event, and what each rule says."""
    _run(deciding.decide(_quietly(config), tenant, event, as_json=as_json))


@app.command("send-test")
def send_test(
    config: Config,
    tenant: Tenant,
    extension: Annotated[str, typer.Option("--extension", help="The extension's number.")],
    device: Annotated[str | None, typer.Option("--device", help="One device; default: all.")] = None,
) -> None:
    """Send a test push and say how far it came: registered? credentials? the provider's answer?"""
    _succeeded(_run(testing.send_test(_quietly(config), tenant, extension, device)))


@app.command("seal-tokens")
def seal_tokens(config: Config) -> None:
    """Encrypt every device token in the store with the first of store.token_keys; after that no other key is needed."""
    _succeeded(_run(sealing.seal(_quietly(config))))


@app.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document."""
    print(json.dumps(openapi_document(), indent=2, ensure_ascii=False))


@dead_letters.command("list")
def list_dead_letters(config: Config) -> None:
    """List them, the last that died first."""
    _run(letters.list_all(_quietly(config)))


@dead_letters.command("show")
def show_dead_letter(push_id: str, config: Config) -> None:
    """Show one with its attempts."""
    _succeeded(_run(letters.show(_quietly(config), push_id)))


@dead_letters.command("replay")
def replay_dead_letter(push_id: str, config: Config) -> None:
    """Queue one again, unless its deadline has passed or it became untrue."""
    _succeeded(_run(letters.replay(_quietly(config), push_id)))


@dead_letters.command("drop")
def drop_dead_letter(push_id: str, config: Config) -> None:
    """Forget one."""
    _succeeded(_run(letters.drop(_quietly(config), push_id)))
