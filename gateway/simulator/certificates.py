"""The simulator's own certificate authority: a root, a server certificate, a client certificate."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=365)
_MARGIN = timedelta(days=7)
"""A certificate that ends sooner than this is not reused."""


class UnusableCredential(ValueError):
    """A file of DIR that cannot be reused; it is made anew."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Certificate first, then the key, as one PEM file."""
        return self.certificate.public_bytes(serialization.Encoding.PEM) + private_pem(self.key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 without a passphrase, as Apple hands out .p8 files."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_authority() -> Certified:
    """A new self-signed root that may sign leaf certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("PBX push simulator CA")
    builder = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return Certified(builder.sign(key, hashes.SHA256()), key)


def make_server(authority: Certified, host: str) -> Certified:
    """A server certificate for localhost, the loopback addresses and `host`."""
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    extra = _general_name(host)
    if extra not in names:
        names.append(extra)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _leaf(_name("localhost"), authority, key, ExtendedKeyUsageOID.SERVER_AUTH)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Certified(builder.sign(authority.key, hashes.SHA256()), key)


def make_client(authority: Certified, topic: str) -> Certified:
    """A provider's client certificate; the bundle id is the subject's UID, as in Apple's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, topic),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {topic}"),
        ]
    )
    builder = _leaf(name, authority, key, ExtendedKeyUsageOID.CLIENT_AUTH)
    return Certified(builder.sign(authority.key, hashes.SHA256()), key)


def read_certified(pem: bytes) -> Certified:
    """A certificate and its key from one PEM file. Raises ValueError when they do not fit or are about to end."""
    certificate = x509.load_pem_x509_certificate(pem)
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise UnusableCredential("key and certificate do not belong together")
    if certificate.not_valid_after_utc - datetime.now(UTC) < _MARGIN:
        raise UnusableCredential("the certificate is about to end")
    return Certified(certificate, key)


def is_for(server: Certified, host: str) -> bool:
    """Whether the server certificate names `host`."""
    extension = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return _general_name(host) in list(extension.value)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _leaf(
    subject: x509.Name, authority: Certified, key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    return (
        _builder(subject, authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
