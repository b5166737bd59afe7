"""The files in DIR that a gateway's configuration points at. Made on the first start, reused while they are valid."""

import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.simulator import certificates
from gateway.simulator.certificates import Certified, UnusableCredential

TEAM_ID = "SIMTEAM001"
KEY_ID = "SIMKEY0001"
SPARE_KEY_ID = "SIMKEY0002"
TOPIC = "com.example.softphone"
PROJECT_ID = "simulated-project"
CLIENT_EMAIL = f"push@{PROJECT_ID}.iam.gserviceaccount.com"
PRIVATE_KEY_ID = "51a7e0c0ffee51a7e0c0ffee51a7e0c0ffee51a7"

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the simulator believes, and where the files are."""

    directory: Path
    provider_keys: dict[str, ec.EllipticCurvePublicKey]
    """Key id -> public key that verifies provider tokens."""
    account_key: rsa.RSAPublicKey
    """Verifies the service account's assertions."""

    @property
    def ca_file(self) -> Path:
        """The root to trust."""
        return self.directory / "ca.pem"

    @property
    def server_file(self) -> Path:
        """The listeners' certificate and key."""
        return self.directory / "server.pem"

    @property
    def client_certificate_file(self) -> Path:
        """A provider's client certificate and key."""
        return self.directory / "apns-client.pem"

    @property
    def service_account_file(self) -> Path:
        """Service account as Google's console exports it."""
        return self.directory / "service-account.json"

    def key_file(self, key_id: str = KEY_ID) -> Path:
        """The provider key of that id, named as Apple names the download."""
        return key_file(self.directory, key_id)


def key_file(directory: Path, key_id: str) -> Path:
    """AuthKey_<key id>.p8"""
    return directory / f"AuthKey_{key_id}.p8"


def open_credentials(directory: Path, host: str) -> Credentials:
    """Read what is valid in `directory`, make the rest anew. Every file is readable by its owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _open_certificates(directory, host)
    provider_keys = {key_id: _open_provider_key(key_file(directory, key_id)) for key_id in (KEY_ID, SPARE_KEY_ID)}
    account_key = _open_account(directory / "service-account.json")
    return Credentials(directory=directory, provider_keys=provider_keys, account_key=account_key)


def point_account_at(credentials: Credentials, token_uri: str) -> None:
    """Rewrite the service account's `token_uri` once the port is known."""
    account = json.loads(credentials.service_account_file.read_bytes())
    account["token_uri"] = token_uri
    write_private(credentials.service_account_file, json.dumps(account, indent=2).encode())


def server_context(
    credentials: Credentials, *, client_certificates: bool, protocols: tuple[str, ...]
) -> ssl.SSLContext:
    """TLS 1.2 and later; with `client_certificates` a certificate of our authority may be shown (APNs)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(credentials.server_file)
    context.set_alpn_protocols(list(protocols))
    if client_certificates:
        context.load_verify_locations(credentials.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def write_private(file: Path, content: bytes) -> None:
    """Replace the file as a whole; mode 0600 from its first byte on."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        output.write(content)
    draft.replace(file)


def _open_certificates(directory: Path, host: str) -> None:
    # The root's key stays in DIR: a later start may have to sign a certificate for another host.
    authority = _open(directory / "ca-key.pem", certificates.read_certified, certificates.make_authority, Certified.pem)
    public = authority.certificate.public_bytes(serialization.Encoding.PEM)
    write_private(directory / "ca.pem", public)

    def ours(pem: bytes) -> Certified:
        read = certificates.read_certified(pem)
        read.certificate.verify_directly_issued_by(authority.certificate)
        return read

    def server(pem: bytes) -> Certified:
        read = ours(pem)
        if not certificates.is_for(read, host):
            raise UnusableCredential(f"made for another host than {host}")
        return read

    _open(directory / "server.pem", server, lambda: certificates.make_server(authority, host), Certified.pem)
    _open(directory / "apns-client.pem", ours, lambda: certificates.make_client(authority, TOPIC), Certified.pem)


def _open_provider_key(file: Path) -> ec.EllipticCurvePublicKey:
    def read(pem: bytes) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise UnusableCredential("not a P-256 key")
        return key

    return _open(file, read, lambda: ec.generate_private_key(ec.SECP256R1()), certificates.private_pem).public_key()


def _open_account(file: Path) -> rsa.RSAPublicKey:
    return _open(file, _read_account, lambda: rsa.generate_private_key(65537, 2048), _account).public_key()


def _read_account(document: bytes) -> rsa.RSAPrivateKey:
    account = json.loads(document)
    if account["client_email"] != CLIENT_EMAIL or account["project_id"] != PROJECT_ID:
        raise UnusableCredential("another account")
    pem = account["private_key"].encode()
    # Our own key: testing its primes on every start would be most of the start.
    key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnusableCredential("not an RSA key")
    return key


def _account(key: rsa.RSAPrivateKey) -> bytes:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    document: dict[str, Any] = {
        "type": "service_account",
        "project_id": PROJECT_ID,
        "private_key_id": PRIVATE_KEY_ID,
        "private_key": pem.decode("ascii"),
        "client_email": CLIENT_EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "",
        "universe_domain": "googleapis.com",
    }
    return json.dumps(document, indent=2).encode()


def _open(
    file: Path, read: Callable[[bytes], _Made], make: Callable[[], _Made], dump: Callable[[_Made], bytes]
) -> _Made:
    try:
        made = read(file.read_bytes())
    except (FileNotFoundError, ValueError, TypeError, KeyError, InvalidSignature):
        made = make()
        write_private(file, dump(made))
    else:
        file.chmod(0o600)
    return made
