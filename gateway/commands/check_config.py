"""`push-gateway check-config`: everything that can be wrong before the first call comes in."""

from pathlib import Path

from gateway.bootstrap import clock
from gateway.commands.printing import console, line
from gateway.domain.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.providers import check_credentials
from gateway.settings import Settings, load_settings
from gateway.store import open_store


async def check_config(path: Path) -> bool:
    """Validate the file, the credentials and the store; print every problem. True when there is none."""
    out = console()
    try:
        settings = load_settings(path)
    except ConfigurationError as error:
        problems = error.problems
    else:
        problems = (*_credentials(settings), *await _store(settings))
    for problem in problems:
        out.print(f"{path}: {line(problem)}", style="red", markup=False, highlight=False, soft_wrap=True)
    if problems:
        return False
    out.print(
        f"{path}: {len(settings.apps)} apps, {len(settings.tenants)} tenants, store reachable: ready to serve.",
        style="green",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return True


def _credentials(settings: Settings) -> tuple[Problem, ...]:
    return tuple(problem for app in settings.apps for problem in check_credentials(app))


async def _store(settings: Settings) -> tuple[Problem, ...]:
    try:
        async with open_store(settings.store, clock=clock) as store:
            health = await store.health()
    except ConfigurationError as error:
        return error.problems
    except StoreUnavailable as error:
        return (Problem(loc="store.url", msg=str(error)),)
    return () if health.ok else (Problem(loc="store.url", msg=health.detail),)
