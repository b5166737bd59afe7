"""What a configuration may not say."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.configurations import IOS, TENANT, furnish, load, problems


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return furnish(tmp_path)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[server]\nport = true", "server.port", "valid integer"),
        ("[server]\nport = 65536", "server.port", "less than or equal to 65535"),
        ('[server]\nopen_to = ["10.0.0.1/8"]', "server.open_to.0", "host bits set"),
        ('[server]\nopen_to = ["anywhere"]', "server.open_to.0", "not a network"),
        ("[server]\nopen_to = [167772160]", "server.open_to.0", "a network is written as"),
        ("[server]\ndrain_seconds = nan", "server.drain_seconds", "finite"),
        ("server = 3", "server", "dictionary"),
        ('[store]\nurl = "embedded:"', "store.url", "needs a directory"),
        ('[store]\nurl = "redis://"', "store.url", "names no server"),
        ('[store]\nurl = "redis://h:x1"', "store.url", "not a store URL"),
        ("[store]\nurl = 3", "store.url", "a secret is a string"),
        ('[store]\nfsync = "no"', "store.fsync", "'always' or 'everysec'"),
        ("[store]\nwait_replicas = 1", "store.wait_replicas", "has no replicas"),
        ('[store]\nurl = "redis+cluster://h"\nwait_replicas = 1', "store.wait_replicas", "cannot be waited for"),
        ('[log]\nlevel = "loud"', "log.level", "'debug', 'info', 'warning' or 'error'"),
        ('[admin]\napi_keys = [{ name = "a b", key = "0123456789abcdef" }]', "admin.api_keys.0.name", "match pattern"),
        ('[admin]\napi_keys = [{ name = "ops", key = "0123456789abcde" }]', "admin.api_keys.0.key", "at least 16"),
        ('[admin]\napi_keys = [{ name = "ops" }]', "admin.api_keys.0.key", "required"),
        ('[admin]\napi_keys = ["0123456789abcdef"]', "admin.api_keys.0", "dictionary"),
        ("[worker]\nlease_seconds = 0", "worker.lease_seconds", "greater than 0"),
        (IOS + IOS, "apps.1.id", "ios is there already"),
        (IOS + 'certificate_file = "apns.pem"', "apps.0.apns.certificate_file", "not both"),
        (IOS.replace('key_file = "AuthKey.p8"', ""), "apps.0.apns.key_file", "or certificate_file is required"),
        (IOS.replace('"AuthKey.p8"', '""'), "apps.0.apns.key_file", "the path is empty"),
        (IOS.replace("ABCDE12345", "abc"), "apps.0.apns.team_id", "match pattern"),
        (IOS + 'url = "http://push.example.com"', "apps.0.apns.url", "must be https://"),
        (IOS + 'url = "https://"', "apps.0.apns.url", "not an https:// URL"),
        (IOS + 'url = "https://x:y"', "apps.0.apns.url", "not a URL"),
        (IOS + 'url = "https://me:word@example.com"', "apps.0.apns.url", "must not hold credentials"),
        (IOS + '[apps.fcm]\nservice_account_file = "account.json"', "apps.0", "exactly one of apns and fcm"),
        ('[[apps]]\nid = "x"', "apps.0", "exactly one of apns and fcm"),
        (TENANT.replace("acme", "a/b"), "tenants.0.id", "match pattern"),
        (TENANT + "apps = [3]", "tenants.0.apps.0", "valid string"),
        (
            TENANT + 'api_keys = [{ name = "k", key = "0123456789abcdef", scopes = ["all"] }]',
            "tenants.0.api_keys.0.scopes.0",
            "'events', 'devices', 'presence' or 'read'",
        ),
        (TENANT + 'policy = { custom_statuses = ["away"] }', "tenants.0.policy.custom_statuses.0", "declared again"),
        (TENANT + 'policy = { privacy = "some" }', "tenants.0.policy.privacy", "'full'"),
        (TENANT + 'user_tokens = { algorithm = "none" }', "tenants.0.user_tokens.algorithm", "'HS256'"),
        (TENANT + 'user_tokens = { algorithm = "HS256" }', "tenants.0.user_tokens.key", "required for HS256"),
        (
            TENANT + f'user_tokens = {{ algorithm = "HS256", key = "{"k" * 31}" }}',
            "tenants.0.user_tokens.key",
            "at least 32 bytes",
        ),
        (
            TENANT
            + f'user_tokens = {{ algorithm = "HS256", key = "{"k" * 32}", jwks_url = "https://id.example.com/keys" }}',
            "tenants.0.user_tokens.jwks_url",
            "not for HS256",
        ),
        (
            TENANT + 'user_tokens = { algorithm = "RS256" }',
            "tenants.0.user_tokens.key",
            "exactly one of key and jwks_url",
        ),
        (
            TENANT + 'user_tokens = { algorithm = "ES256", key = "no key" }',
            "tenants.0.user_tokens.key",
            "not a public key in PEM",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "generic"\nsecret = "not base64!"',
            "tenants.0.sources.0.secret",
            "base64",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "generic"\nsecret = "whsec_c2hvcnQ="',
            "tenants.0.sources.0.secret",
            "at least 24 bytes",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecret = "fifteen-letters"',
            "tenants.0.sources.0.secret",
            "at least 16 characters",
        ),
        ('[[store.token_keys]]\nid = "a"\nkey = "not base64"', "store.token_keys.0.key", "a token key is base64"),
        ('[[store.token_keys]]\nid = "a"\nkey = "c2hvcnQ="', "store.token_keys.0.key", "has 32 bytes"),
        (
            '[[store.token_keys]]\nid = "a b"\nkey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="',
            "store.token_keys.0.id",
            "match pattern",
        ),
        (
            f'[[store.token_keys]]\nid = "a"\nkey = "{"A" * 43}="\n' * 2,
            "store.token_keys",
            "every token key has an id of its own",
        ),
        ("[server]\nmax_connections = 0", "server.max_connections", "greater than or equal to 1"),
        ("[server]\nread_timeout_seconds = 0", "server.read_timeout_seconds", "greater than or equal to 0.1"),
        ("[server]\nrate_limit_per_second = inf", "server.rate_limit_per_second", "finite"),
        ("[server]\nrate_limit_burst = 0", "server.rate_limit_burst", "greater than or equal to 1"),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecrets = []',
            "tenants.0.sources.0.secrets",
            "one secret, or two",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecrets = ["1", "2", "3"]',
            "tenants.0.sources.0.secrets",
            "one secret, or two",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecrets = ["1", ""]',
            "tenants.0.sources.0.secrets.1",
            "the secret is empty",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecret = "1"\nsecrets = ["2"]',
            "tenants.0.sources.0.secrets",
            "secret or secrets, not both",
        ),
        (
            TENANT
            + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecret = "0123456789abcdef"\n'
            + '[tenants.sources.connector]\nkind = "yeastar"\nurl = "https://pbx.example.com"\nclient_id = "x"',
            "tenants.0.sources.0.connector.client_secret",
            "required for a connector of kind yeastar",
        ),
        (
            TENANT + '[[tenants.sources]]\nname = "a"\nkind = "yeastar"\nsecret = "0123456789abcdef"\n' * 2,
            "tenants.0.sources.1.name",
            "a is there already",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(house: Path, text: str, place: str, message: str) -> None:
    found = problems(house, text)
    assert list(found) == [place]
    assert message in found[place]


def test_one_key_has_one_holder_over_admin_and_all_tenants(house: Path) -> None:
    key = '{ name = "k", key = { env = "K" }, scopes = [] }'
    text = f"""
[admin]
api_keys = [{{ name = "ops", key = "0123456789abcdef" }}]
[[tenants]]
id = "a"
api_keys = [{key}]
[[tenants]]
id = "b"
api_keys = [{key.replace("K", "L")}]
"""
    assert problems(house, text, K="0123456789abcdef", L="another-0123456789") == {
        "tenants.0.api_keys.0.key": "the same key is used elsewhere: every key has one holder"
    }
    assert problems(house, text, K="another-0123456789", L="another-0123456789") == {
        "tenants.1.api_keys.0.key": "the same key is used elsewhere: every key has one holder"
    }


def _pem(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


P256 = _pem(ec.generate_private_key(ec.SECP256R1()).public_key())
P384 = _pem(ec.generate_private_key(ec.SECP384R1()).public_key())
RSA2048 = _pem(rsa.generate_private_key(65537, 2048).public_key())
RSA1024 = _pem(rsa.generate_private_key(65537, 1024).public_key())  # noqa: S505 - the one to refuse


@pytest.mark.parametrize(
    ("algorithm", "key", "message"),
    [
        ("ES256", P256, None),
        ("RS256", RSA2048, None),
        ("ES256", P384, "ES256 needs a P-256 key"),
        ("ES256", RSA2048, "ES256 needs a P-256 key"),
        ("RS256", P256, "RS256 needs an RSA key of at least 2048 bits"),
        ("RS256", RSA1024, "RS256 needs an RSA key of at least 2048 bits"),
    ],
)
def test_the_public_key_fits_the_algorithm(house: Path, algorithm: str, key: str, message: str | None) -> None:
    (house / "jwt.pem").write_text(key)
    text = TENANT + f'user_tokens = {{ algorithm = "{algorithm}", key = {{ file = "jwt.pem" }} }}'
    if message is None:
        tenant = load(house, text).tenant("acme")
        assert tenant is not None
        assert tenant.user_tokens is not None
    else:
        assert problems(house, text) == {"tenants.0.user_tokens.key": message}
