"""The configuration file as models: what `config/gateway.reference.toml` describes, key by key."""

from gateway.settings.apps import ApnsSettings, AppSettings, FcmSettings
from gateway.settings.fields import is_loopback
from gateway.settings.load import load_settings
from gateway.settings.root import Settings
from gateway.settings.secret import SAMPLE_SECRETS, Secret
from gateway.settings.sections import (
    AdminSettings,
    LogSettings,
    NamedKey,
    ServerSettings,
    StoreSettings,
    TokenKey,
    WorkerSettings,
)
from gateway.settings.tenants import (
    ConnectorSettings,
    Scope,
    SourceKind,
    SourceSettings,
    TenantKey,
    TenantSettings,
    UserTokenSettings,
)

__all__ = [
    "SAMPLE_SECRETS",
    "AdminSettings",
    "ApnsSettings",
    "AppSettings",
    "ConnectorSettings",
    "FcmSettings",
    "LogSettings",
    "NamedKey",
    "Scope",
    "Secret",
    "ServerSettings",
    "Settings",
    "SourceKind",
    "SourceSettings",
    "StoreSettings",
    "TenantKey",
    "TenantSettings",
    "TokenKey",
    "UserTokenSettings",
    "WorkerSettings",
    "is_loopback",
    "load_settings",
]
