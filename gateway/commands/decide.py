"""`push-gateway decide`: what the policy would say about an event, without storing or sending anything."""

import sys
from pathlib import Path

import orjson
from rich.table import Table

from gateway.bootstrap import assemble, clock
from gateway.commands.printing import console, headline
from gateway.domain.decision import Decision, Verdict
from gateway.domain.errors import ConfigurationError, InvalidInput, MalformedInput, Problem
from gateway.domain.event import PbxEvent
from gateway.ingress import cloudevents
from gateway.pipeline.preview import preview
from gateway.pipeline.services import Role
from gateway.settings import Settings, TenantSettings
from gateway.store import open_store

_STYLES = {Verdict.DECIDED: "bold", Verdict.WOULD_DECIDE: "yellow", Verdict.NOT_APPLICABLE: "dim", Verdict.PASSED: ""}


async def decide(settings: Settings, tenant_id: str, event_file: Path, *, as_json: bool) -> None:
    """Print the trace of one CloudEvent (structured JSON, as posted to the gateway).

    Raises `ConfigurationError` for an unknown tenant or an unusable file.
    """
    tenant = settings.tenant(tenant_id)
    if tenant is None:
        raise ConfigurationError(Problem(loc="--tenant", msg=f"{tenant_id} is not configured"))
    event = _read(event_file)
    async with open_store(settings.store, clock=clock) as store:
        services = assemble(settings, store, {}, role=Role.API)  # asks neither providers nor a PBX for anything
        result = await preview(services.intake, settings, tenant, event, clock())
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(_document(result.decision), option=orjson.OPT_INDENT_2) + b"\n")
        return
    _print(tenant, event, result.facts.presence.status, result.decision)


def _read(event_file: Path) -> PbxEvent:
    try:
        body = sys.stdin.buffer.read() if str(event_file) == "-" else event_file.read_bytes()
        event = cloudevents.read({"content-type": "application/cloudevents+json"}, body).items[0]
    except OSError as error:
        raise ConfigurationError(Problem(loc=str(event_file), msg=error.strerror or "cannot be read")) from error
    except (InvalidInput, MalformedInput) as error:
        raise ConfigurationError(*(_in_file(event_file, problem) for problem in error.problems)) from error
    if isinstance(event, InvalidInput):
        raise ConfigurationError(*(_in_file(event_file, problem) for problem in event.problems))
    return event


def _in_file(event_file: Path, problem: Problem) -> Problem:
    return Problem(loc=f"{event_file}: {problem.loc}", msg=problem.msg)


def _document(decision: Decision) -> dict[str, object]:
    return {
        "action": decision.action,
        "reason": decision.reason,
        "trace": [{"rule": step.rule, "verdict": step.verdict, "detail": step.detail} for step in decision.trace],
        "devices": [push.device_id for push in decision.pushes],
    }


def _print(tenant: TenantSettings, event: PbxEvent, status: str, decision: Decision) -> None:
    out = console()
    table = Table(title=f"{event.kind} for {event.extension} of {tenant.id}, who is {status}")
    for column in ("rule", "verdict", "detail"):
        table.add_column(column, overflow="fold")
    for step in decision.trace:
        table.add_row(step.rule, step.verdict, step.detail.replace("[", r"\["), style=_STYLES[step.verdict])
    out.print(table)
    told = ", ".join(push.device_id for push in decision.pushes) or "no phone"
    out.print(f"{headline(decision)} -> {told}", markup=False, highlight=False)
