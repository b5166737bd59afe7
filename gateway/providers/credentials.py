"""Credentials from files, and what can be wrong with them, found before anything is sent."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from firebase_admin.credentials import Certificate
from google.oauth2.service_account import Credentials as GoogleCredential

from gateway.domain.errors import ConfigurationError, Problem
from gateway.domain.event import Millis
from gateway.settings import ApnsSettings, AppSettings, FcmSettings

_load: Callable[[dict[str, Any]], Certificate] = Certificate
_SERVICE_ACCOUNT_FIELDS = ("type", "project_id", "private_key", "client_email", "token_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApnsKey:
    """Token authentication: a team's signing key."""

    team_id: str
    key_id: str
    key: EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApnsCertificate:
    """Certificate authentication."""

    pem: bytes = field(repr=False)
    """Certificate and key."""
    expires_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A Google service account."""

    credential: GoogleCredential = field(repr=False)
    project_id: str


def check_credentials(app: AppSettings, *, now: Millis | None = None) -> tuple[Problem, ...]:
    """What is wrong with the app's files, each with its key and its path; without any network. `now`: default, the
    present."""
    present = time.time_ns() // 1_000_000 if now is None else now
    problems: list[Problem] = []
    checks = (apns_credentials,) if app.apns else (fcm_credentials,)
    for check in (*checks, authorities):
        try:
            check(app, present)
        except ConfigurationError as error:
            problems.extend(error.problems)
    return tuple(problems)


def apns_credentials(app: AppSettings, now: Millis) -> ApnsKey | ApnsCertificate:
    """The app's key or certificate. Raises ConfigurationError."""
    settings = _apns(app)
    if settings.certificate_file is not None:
        return _certificate(app, settings.certificate_file, now)
    if settings.key_file is None or settings.team_id is None or settings.key_id is None:
        raise _problem(app, "apns.key_file", None, "key_file with team_id and key_id, or certificate_file, is required")
    return ApnsKey(team_id=settings.team_id, key_id=settings.key_id, key=_signing_key(app, settings.key_file))


def fcm_credentials(app: AppSettings, now: Millis) -> ServiceAccount:
    """The app's service account. Raises ConfigurationError. `now` is not needed: a service account does not expire."""
    place, path = "fcm.service_account_file", _fcm(app).service_account_file
    try:
        account = orjson.loads(_content(app, place, path))
    except orjson.JSONDecodeError as error:
        raise _problem(app, place, path, "not JSON") from error
    if not isinstance(account, dict):
        raise _problem(app, place, path, "not a JSON object")
    wrong = _wrong_fields(account)
    if wrong:
        raise ConfigurationError(*(_named(app, place, path, sentence) for sentence in wrong))
    try:
        certificate: Any = _load(account)
    except ValueError as error:
        raise _problem(app, place, path, "private_key is not a usable RSA key") from error
    return ServiceAccount(credential=certificate.get_credential(), project_id=account["project_id"])


def authorities(app: AppSettings, now: Millis) -> bytes | None:
    """`ca_file` of the app, PEM; None: it has none. Raises ConfigurationError."""
    path = app.apns.ca_file if app.apns else _fcm(app).ca_file
    if path is None:
        return None
    place = "apns.ca_file" if app.apns else "fcm.ca_file"
    pem = _content(app, place, path)
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _problem(app, place, path, "holds no certificate in PEM") from error
    return pem


def _signing_key(app: AppSettings, path: Path) -> EllipticCurvePrivateKey:
    key = _private_key(app, "apns.key_file", path, _content(app, "apns.key_file", path))
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise _problem(app, "apns.key_file", path, "not an EC P-256 key, which Apple's .p8 keys are")
    return key


def _certificate(app: AppSettings, path: Path, now: Millis) -> ApnsCertificate:
    place = "apns.certificate_file"
    pem = _content(app, place, path)
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _problem(app, place, path, "holds no certificate in PEM") from error
    public = _private_key(app, place, path, pem).public_key()
    own = next((certificate for certificate in certificates if certificate.public_key() == public), None)
    if own is None:
        raise _problem(app, place, path, "the private key does not belong to the certificate")
    present = datetime.fromtimestamp(now / 1000, UTC)
    if present >= own.not_valid_after_utc:
        raise _problem(app, place, path, f"the certificate expired on {own.not_valid_after_utc:%Y-%m-%d}")
    if present < own.not_valid_before_utc:
        raise _problem(app, place, path, f"the certificate is valid from {own.not_valid_before_utc:%Y-%m-%d} on")
    return ApnsCertificate(pem=pem, expires_at=int(own.not_valid_after_utc.timestamp() * 1000))


def _private_key(app: AppSettings, place: str, path: Path, pem: bytes) -> PrivateKeyTypes:
    """The first private key among the PEM blocks."""
    start = pem.find(b"-----BEGIN", max(_key_marker(pem), 0))
    if _key_marker(pem) < 0:
        raise _problem(app, place, path, "holds no private key in PEM")
    try:
        return load_pem_private_key(pem[start:], password=None)
    except TypeError as error:
        raise _problem(app, place, path, "the private key is encrypted") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _problem(app, place, path, "the private key cannot be read") from error


def _key_marker(pem: bytes) -> int:
    """Where the block of the first private key begins; -1: there is none."""
    end = pem.find(b"PRIVATE KEY-----")
    return pem.rfind(b"-----BEGIN", 0, end) if end >= 0 else -1


def _wrong_fields(account: dict[str, Any]) -> list[str]:
    wrong = [f"{name} is missing" for name in _SERVICE_ACCOUNT_FIELDS if not isinstance(account.get(name), str)]
    if not wrong and account["type"] != "service_account":
        wrong.append("type is not service_account")
    if not wrong and not _is_safe(account["token_uri"]):
        wrong.append("token_uri is not an https:// URL")
    return wrong


def _is_safe(url: str) -> bool:
    """https, or on loopback: the signed assertion goes there."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and (
            parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


def _content(app: AppSettings, place: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _problem(app, place, path, f"cannot be read: {error.strerror}") from error


def _apns(app: AppSettings) -> ApnsSettings:
    if app.apns is None:
        raise _problem(app, "apns", None, "is missing")
    return app.apns


def _fcm(app: AppSettings) -> FcmSettings:
    if app.fcm is None:
        raise _problem(app, "fcm", None, "is missing")
    return app.fcm


def _problem(app: AppSettings, place: str, path: Path | None, sentence: str) -> ConfigurationError:
    return ConfigurationError(_named(app, place, path, sentence))


def _named(app: AppSettings, place: str, path: Path | None, sentence: str) -> Problem:
    return Problem(loc=f"apps.{app.id}.{place}", msg=f"{path}: {sentence}" if path else sentence)
