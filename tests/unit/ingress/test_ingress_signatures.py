"""Signatures prove who posted, and nothing but a good one does."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from gateway.domain.errors import BadProof
from gateway.ingress.signatures import (
    MAX_ID_LENGTH,
    sign_standard_webhook,
    sign_yeastar,
    standard_webhook_key,
    verify_standard_webhook,
    verify_yeastar,
)

# The vector of the Standard Webhooks specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SECONDS = 1_614_265_330
NOW = SECONDS * 1000
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "whsec_" + base64.b64encode(b"another secret of ours..").decode()


def headers(message_id: str = MESSAGE_ID, timestamp: str = str(SECONDS), signature: str = SIGNATURE) -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def test_the_vector_of_the_specification_is_signed_and_verified() -> None:
    assert sign_standard_webhook(SECRET, MESSAGE_ID, SECONDS, BODY) == SIGNATURE
    assert verify_standard_webhook([SECRET], headers(), BODY, NOW) == MESSAGE_ID


def test_the_reference_library_accepts_what_we_sign() -> None:
    seconds = int(datetime.now(UTC).timestamp())
    signature = sign_standard_webhook(OTHER, "id-1", seconds, BODY)
    assert Webhook(OTHER).verify(BODY, headers("id-1", str(seconds), signature)) == {"test": 2432232314}


def test_we_accept_what_the_reference_library_signs() -> None:
    signature = Webhook(OTHER).sign("id-1", datetime.fromtimestamp(SECONDS, UTC), BODY.decode())
    assert verify_standard_webhook([OTHER], headers("id-1", signature=signature), BODY, NOW) == "id-1"


@pytest.mark.parametrize(
    "secrets",
    [
        [SECRET.removeprefix("whsec_")],
        [f" {SECRET}\n"],
        [OTHER, SECRET],
        [SECRET, OTHER],
        ["no base64!", SECRET],
    ],
)
def test_any_active_secret_proves_with_or_without_prefix(secrets: list[str]) -> None:
    assert verify_standard_webhook(secrets, headers(), BODY, NOW) == MESSAGE_ID


@pytest.mark.parametrize("secret", ["whsec_c2VjcmV0cw==", "whsec_c2VjcmV0cw", "c2VjcmV0cw"])
def test_a_secret_may_lack_its_padding(secret: str) -> None:
    assert standard_webhook_key(secret) == b"secrets"


@pytest.mark.parametrize("secret", ["", "whsec_", "==", "not base64", "pässwörd", "ab_cd-ef", "abcde", "\ud800"])
def test_a_secret_that_is_not_base64_is_no_key(secret: str) -> None:
    with pytest.raises(ValueError, match="a Standard Webhooks secret"):
        standard_webhook_key(secret)
    with pytest.raises(BadProof):
        verify_standard_webhook([secret], headers(), BODY, NOW)


@pytest.mark.parametrize(
    "signature",
    [
        f"v1,AAAA {SIGNATURE}",
        f"v1a,{SIGNATURE[3:]}  {SIGNATURE}",
        f"v2,x {SIGNATURE} v1 , v1,",
        f" {SIGNATURE} \U0001f511",
    ],
)
def test_one_good_signature_among_several_is_enough(signature: str) -> None:
    assert verify_standard_webhook([SECRET], headers(signature=signature), BODY, NOW) == MESSAGE_ID


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_timestamp_may_be_five_minutes_off(seconds: int) -> None:
    assert verify_standard_webhook([SECRET], headers(), BODY, NOW + seconds * 1000) == MESSAGE_ID


@pytest.mark.parametrize("milliseconds", [-300_001, 300_001, -86_400_000, 86_400_000])
def test_a_timestamp_further_off_is_stale(milliseconds: int) -> None:
    with pytest.raises(BadProof):
        verify_standard_webhook([SECRET], headers(), BODY, NOW + milliseconds)


@pytest.mark.parametrize("message_id", ["1713151497.32", "x" * MAX_ID_LENGTH, "a b"])
def test_an_id_may_be_any_short_printable_text(message_id: str) -> None:
    signature = sign_standard_webhook(SECRET, message_id, SECONDS, BODY)
    assert verify_standard_webhook([SECRET], headers(message_id, signature=signature), BODY, NOW) == message_id


@pytest.mark.parametrize("message_id", ["", "x" * (MAX_ID_LENGTH + 1), "a\nb", "a\x00", "é"])
def test_another_id_proves_nothing_even_when_signed(message_id: str) -> None:
    signature = sign_standard_webhook(SECRET, message_id, SECONDS, BODY)
    with pytest.raises(BadProof):
        verify_standard_webhook([SECRET], headers(message_id, signature=signature), BODY, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        headers(signature=""),
        headers(signature="v1"),
        headers(signature="v1,"),
        headers(signature=SIGNATURE[3:]),
        headers(signature=SIGNATURE[:-1]),
        headers(signature=SIGNATURE.lower()),
        headers(signature="v1a," + SIGNATURE[3:]),
        headers(signature="v1,!!!! , ,,"),
        headers(signature="\ud800"),
        headers(message_id="msg_other"),
        headers(message_id="\ud800"),
        headers(timestamp=""),
        headers(timestamp=f"{SECONDS}.0"),
        headers(timestamp=f"0{SECONDS}"),
        headers(timestamp=f"+{SECONDS}"),
        headers(timestamp=f" {SECONDS}"),
        headers(timestamp=f"{SECONDS}\n"),
        headers(timestamp="-1"),
        headers(timestamp="1e9"),
        headers(timestamp="now"),
        headers(timestamp="9" * 5000),
        headers(timestamp="١٦١٤٢٦٥٣٣٠"),
        {key: value for key, value in headers().items() if key != "webhook-id"},
    ],
)
def test_anything_else_is_bad_proof_and_nothing_more(wrong: dict[str, str]) -> None:
    with pytest.raises(BadProof) as caught:
        verify_standard_webhook([SECRET, OTHER], wrong, BODY, NOW)
    assert str(caught.value) == ""


@pytest.mark.parametrize(
    ("secrets", "body"), [([], BODY), ([OTHER], BODY), ([SECRET], BODY + b" "), ([SECRET], b"\xff")]
)
def test_another_secret_or_body_is_bad_proof(secrets: Sequence[str], body: bytes) -> None:
    with pytest.raises(BadProof):
        verify_standard_webhook(secrets, headers(), body, NOW)


YEASTAR_SECRET = "0kQ2vGx8mZp4TqL1nRb7cWd5eYf3hUj9"


def yeastar_signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def test_a_yeastar_signature_is_base64_of_an_hmac_over_the_raw_body() -> None:
    body = b'{"type":30009,"sn":"3631A2124000","msg":"{}"}'
    assert sign_yeastar(YEASTAR_SECRET, body) == yeastar_signature(YEASTAR_SECRET, body)
    verify_yeastar([YEASTAR_SECRET], {"x-signature": yeastar_signature(YEASTAR_SECRET, body)}, body)


@pytest.mark.parametrize("secrets", [[YEASTAR_SECRET, "new"], ["new", YEASTAR_SECRET]])
def test_each_of_two_yeastar_secrets_proves(secrets: list[str]) -> None:
    verify_yeastar(secrets, {"x-signature": f" {yeastar_signature(YEASTAR_SECRET, BODY)} "}, BODY)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"x-signature": ""},
        {"x-signature": "é\ud800"},
        {"x-signature": yeastar_signature("other", BODY)},
        {"x-signature": yeastar_signature(YEASTAR_SECRET, BODY + b"\n")},
        {"x-signature": hmac.new(YEASTAR_SECRET.encode(), BODY, hashlib.sha256).hexdigest()},
        {"x-signature": yeastar_signature("", BODY)},
    ],
)
def test_another_yeastar_signature_is_bad_proof(wrong: dict[str, str]) -> None:
    with pytest.raises(BadProof):
        verify_yeastar([YEASTAR_SECRET, ""], wrong, BODY)
