"""What can be wrong with credentials is found before anything is sent, with the key and the file."""

import datetime
import json
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.providers import check_credentials
from gateway.settings import ApnsSettings, AppSettings, FcmSettings

NOW: Final = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
RSA: Final = rsa.generate_private_key(65537, 2048)
P256: Final = ec.generate_private_key(ec.SECP256R1())


def pem(key: PrivateKeyTypes, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def certificate(key: CertificateIssuerPrivateKeyTypes, *, days: tuple[int, int] = (-1, 365)) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "com.example.softphone")])
    begin, end = (NOW + datetime.timedelta(days=day) for day in days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


ACCOUNT: Final[dict[str, Any]] = {
    "type": "service_account",
    "project_id": "softphone",
    "private_key_id": "1",
    "private_key": pem(RSA).decode(),
    "client_email": "push@softphone.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}


def problems(app: AppSettings) -> list[tuple[str, str]]:
    found = check_credentials(app, now=int(NOW.timestamp() * 1000))
    return [(problem.loc, problem.msg.rpartition(": ")[2]) for problem in found]


def by_key(path: Path) -> AppSettings:
    apns = ApnsSettings(team_id="ABCDE12345", key_id="FGHIJ67890", key_file=path, topic="com.example.softphone")
    return AppSettings(id="ios", apns=apns)


def by_certificate(path: Path) -> AppSettings:
    return AppSettings(id="ios", apns=ApnsSettings(certificate_file=path, topic="com.example.softphone"))


def by_account(path: Path) -> AppSettings:
    return AppSettings(id="droid", fcm=FcmSettings(service_account_file=path))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pem(P256), None),
        (b"-----BEGIN X-----\n-----END X-----\n" + pem(P256), None),
        (b"", "holds no private key in PEM"),
        (b"not a key", "holds no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the private key cannot be read"),
        (pem(P256, b"pass"), "the private key is encrypted"),
        (pem(RSA), "not an EC P-256 key, which Apple's .p8 keys are"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "not an EC P-256 key, which Apple's .p8 keys are"),
    ],
)
def test_a_signing_key(tmp_path: Path, content: bytes, sentence: str | None) -> None:
    path = tmp_path / "AuthKey.p8"
    path.write_bytes(content)

    assert problems(by_key(path)) == ([("apps.ios.apns.key_file", sentence)] if sentence else [])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (certificate(RSA) + pem(RSA), None),
        (pem(P256) + certificate(RSA) + certificate(P256), None),
        (pem(RSA), "holds no certificate in PEM"),
        (certificate(RSA), "holds no private key in PEM"),
        (certificate(RSA) + pem(P256), "the private key does not belong to the certificate"),
        (certificate(RSA, days=(-400, -35)) + pem(RSA), "the certificate expired on 2026-10-18"),
        (certificate(RSA, days=(3, 400)) + pem(RSA), "the certificate is valid from 2026-11-25 on"),
    ],
)
def test_a_certificate(tmp_path: Path, content: bytes, sentence: str | None) -> None:
    path = tmp_path / "apns.pem"
    path.write_bytes(content)

    assert problems(by_certificate(path)) == ([("apps.ios.apns.certificate_file", sentence)] if sentence else [])


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        (json.dumps(ACCOUNT), []),
        ("{", ["not JSON"]),
        ("[]", ["not a JSON object"]),
        (
            json.dumps({**ACCOUNT, "project_id": None, "token_uri": 7}),
            ["project_id is missing", "token_uri is missing"],
        ),
        (json.dumps({**ACCOUNT, "type": "authorized_user"}), ["type is not service_account"]),
        (json.dumps({**ACCOUNT, "private_key": "broken"}), ["private_key is not a usable RSA key"]),
        (json.dumps({**ACCOUNT, "token_uri": "http://example.com/token"}), ["token_uri is not an https:// URL"]),
        (json.dumps({**ACCOUNT, "token_uri": "http://127.0.0.1:8080/token"}), []),
    ],
)
def test_a_service_account(tmp_path: Path, content: str, sentences: list[str]) -> None:
    path = tmp_path / "service-account.json"
    path.write_text(content)

    assert problems(by_account(path)) == [("apps.droid.fcm.service_account_file", sentence) for sentence in sentences]


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    app = AppSettings(id="droid", fcm=FcmSettings(service_account_file=missing, ca_file=missing))

    found = check_credentials(app)

    assert [problem.loc for problem in found] == ["apps.droid.fcm.service_account_file", "apps.droid.fcm.ca_file"]
    assert all(problem.msg == f"{missing}: cannot be read: No such file or directory" for problem in found)


def test_authorities_have_to_be_certificates(tmp_path: Path) -> None:
    key, authorities = tmp_path / "AuthKey.p8", tmp_path / "ca.pem"
    key.write_bytes(pem(P256))
    authorities.write_text("nothing")
    apns = ApnsSettings(
        team_id="ABCDE12345", key_id="FGHIJ67890", key_file=key, topic="com.example.softphone", ca_file=authorities
    )

    assert problems(AppSettings(id="ios", apns=apns)) == [("apps.ios.apns.ca_file", "holds no certificate in PEM")]


def test_no_problem_repeats_what_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "service-account.json"
    path.write_text(json.dumps({**ACCOUNT, "private_key": "hunter2-broken"}))

    assert "hunter2" not in repr(check_credentials(by_account(path)))
