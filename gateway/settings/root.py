"""The whole configuration."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from pydantic import Field

from gateway.settings.apps import AppSettings
from gateway.settings.reading import Place, Reading, Section, part, parts
from gateway.settings.secret import Secret
from gateway.settings.sections import AdminSettings, LogSettings, ServerSettings, StoreSettings, WorkerSettings
from gateway.settings.tenants import SourceSettings, TenantSettings, repeated


class Settings(Section):
    """Everything that one configuration file says."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = Field(default_factory=StoreSettings)
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()
    admin: AdminSettings = AdminSettings()
    apps: tuple[AppSettings, ...] = ()
    tenants: tuple[TenantSettings, ...] = ()

    @classmethod
    def spelled_out(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"store": {}, **given}  # its default is a path, relative to the file like any other

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        yield from repeated(parts(given, "apps"), "id", ("apps",))
        yield from repeated(parts(given, "tenants"), "id", ("tenants",))
        yield from repeated(parts(part(given, "admin"), "api_keys"), "name", ("admin", "api_keys"))
        yield from _unknown_apps(given)
        yield from _shared_source_names(given)
        yield from _shared_keys(given, reading)

    def app(self, app_id: str) -> AppSettings | None:
        """The application of that id."""
        return self._apps_by_id.get(app_id)

    def tenant(self, tenant_id: str) -> TenantSettings | None:
        """The tenant of that id."""
        return self._tenants_by_id.get(tenant_id)

    def source(self, name: str) -> tuple[TenantSettings, SourceSettings] | None:
        """The source of that name, and whose it is."""
        return self._sources_by_name.get(name)

    @cached_property
    def _apps_by_id(self) -> dict[str, AppSettings]:
        return {app.id: app for app in self.apps}

    @cached_property
    def _tenants_by_id(self) -> dict[str, TenantSettings]:
        return {tenant.id: tenant for tenant in self.tenants}

    @cached_property
    def _sources_by_name(self) -> dict[str, tuple[TenantSettings, SourceSettings]]:
        return {source.name: (tenant, source) for tenant in self.tenants for source in tenant.sources}


def _unknown_apps(given: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    known = {part(app, "id") for app in parts(given, "apps") if isinstance(part(app, "id"), str)}
    for number, tenant in enumerate(parts(given, "tenants")):
        for index, app in enumerate(parts(tenant, "apps")):
            if isinstance(app, str) and app not in known:
                yield ("tenants", number, "apps", index), f"no app has the id {app}"


def _shared_source_names(given: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    owners: dict[str, int] = {}
    for number, tenant in enumerate(parts(given, "tenants")):
        for index, source in enumerate(parts(tenant, "sources")):
            name = part(source, "name")
            if isinstance(name, str) and owners.setdefault(name, number) != number:
                yield ("tenants", number, "sources", index, "name"), f"another tenant has a source {name} already"
        yield from repeated(parts(tenant, "sources"), "name", ("tenants", number, "sources"))


def _shared_keys(given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
    """One key opens one door: a shared one would carry a tenant's right to another tenant, or to operations."""
    holders: list[tuple[Place, Any]] = [(("admin",), part(given, "admin"))]
    holders += [(("tenants", number), tenant) for number, tenant in enumerate(parts(given, "tenants"))]
    seen: set[str] = set()
    for place, holder in holders:
        for index, key in enumerate(parts(holder, "api_keys")):
            try:
                secret = Secret.read(part(key, "key"), reading).reveal()
            except ValueError:
                continue  # told where the key itself is validated
            if secret in seen:
                yield (*place, "api_keys", index, "key"), "the same key is used elsewhere: every key has one holder"
            seen.add(secret)
