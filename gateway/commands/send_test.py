"""`push-gateway send-test`: a test push, stage by stage."""

from gateway.bootstrap import open_services
from gateway.commands.printing import console
from gateway.domain.errors import ConfigurationError, Problem
from gateway.pipeline.services import Role
from gateway.settings import Settings


async def send_test(settings: Settings, tenant_id: str, extension: str, device_id: str | None) -> bool:
    """Test one device of an extension, or all of them. True when every provider took its push.

    Raises `ConfigurationError` for an unknown tenant.
    """
    tenant = settings.tenant(tenant_id)
    if tenant is None:
        raise ConfigurationError(Problem(loc="--tenant", msg=f"{tenant_id} is not configured"))
    out = console()
    async with open_services(settings, Role.API) as services:
        devices = await services.store.devices.list(tenant.id, extension)
        names = [device_id] if device_id is not None else [device.device_id for device in devices]
        if not names:
            out.print(f"registered: no device is registered for {extension}", style="red", highlight=False)
        good = bool(names)
        for name in names:
            report = await services.diagnosis.test(tenant, extension, name)
            good = good and report.ok
            for stage in report.stages:
                mark, style = ("ok", "green") if stage.ok else ("failed", "red")
                text = f"{name}  {stage.name:<12} {mark:<7} {stage.detail}"
                out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
    return good
