"""Kinds of values that several sections use."""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints, ValidationInfo

from gateway.settings.permissions import require_private
from gateway.settings.reading import reading_of

Int: TypeAlias = Annotated[int, Field(strict=True)]
"""A whole number, written as one."""
Seconds: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""Seconds, whole or with a fraction."""
Rate: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""So many a second, whole or with a fraction."""
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""An id as it can stand in a URL: letters, digits, `.`, `_`, `-`, up to 128."""


def is_loopback(host: object) -> bool:
    """Whether `host` is a name or an address of this machine only."""
    if not isinstance(host, str):
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _network(value: Any) -> IPv4Network | IPv6Network:
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    if not isinstance(value, str):
        raise ValueError('a network is written as "10.0.0.0/8" or "2001:db8::/32"')  # noqa: TRY004 - pydantic's contract
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"not a network: {error}") from error


Network: TypeAlias = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
"""A CIDR."""


def _url(value: str) -> str:
    try:
        parsed = urlsplit(value)
        host, _ = parsed.hostname, parsed.port
    except ValueError as error:
        raise ValueError("not a URL") from error
    if parsed.scheme not in ("https", "http") or not host:
        raise ValueError("not an https:// URL")
    if parsed.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https:// (http:// only on loopback)")
    if parsed.username is not None or parsed.password is not None:
        raise ValueError("must not hold credentials")
    return value.rstrip("/")


Url: TypeAlias = Annotated[str, AfterValidator(_url)]
"""`https://`; `http://` only on loopback. Kept without a trailing slash."""


def _path(value: Path, info: ValidationInfo) -> Path:
    reading = reading_of(info)
    path = reading.path(value)
    if reading.check_files:
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    return path


def _private(path: Path, info: ValidationInfo) -> Path:
    reading = reading_of(info)
    if reading.check_files and not reading.loopback:
        require_private(path, reading.environ)
    return path


def _written_as_text(value: Any) -> Any:
    if value == "":
        raise ValueError("the path is empty")
    return value


ReadableFile: TypeAlias = Annotated[Path, BeforeValidator(_written_as_text), AfterValidator(_path)]
"""A file, relative to the configuration file; it has to exist and be readable when a configuration is loaded."""
PrivateFile: TypeAlias = Annotated[ReadableFile, AfterValidator(_private)]
"""A `ReadableFile` that holds a private key: others may not read it, as `permissions` has it."""


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError('not an IANA time zone such as "Europe/Berlin"') from error
    return value


Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone."""
