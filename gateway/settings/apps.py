"""`[[apps]]`: one mobile application on one platform, with its credentials."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import StringConstraints

from gateway.domain.device import Provider
from gateway.settings.fields import Name, PrivateFile, ReadableFile, Url
from gateway.settings.reading import Place, Reading, Section

AppleId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}$")]
"""Apple's team and key ids: ten capital letters and digits."""
BundleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$", max_length=155)]


class ApnsSettings(Section):
    """Credentials for Apple: a signing key (`.p8` with team and key id) or a certificate."""

    team_id: AppleId | None = None
    key_id: AppleId | None = None
    key_file: PrivateFile | None = None
    certificate_file: PrivateFile | None = None
    """PEM with certificate and private key."""
    topic: BundleId
    """Bundle id; `.voip` is appended for VoIP pushes."""
    url: Url = "https://api.push.apple.com"
    sandbox_url: Url = "https://api.sandbox.push.apple.com"
    ca_file: ReadableFile | None = None
    """Trusted besides the system's authorities (simulator, tests)."""

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        key, certificate = given.get("key_file"), given.get("certificate_file")
        if key is not None and certificate is not None:
            yield ("certificate_file",), "key_file or certificate_file, not both"
        if key is None and certificate is None:
            yield ("key_file",), "key_file (with team_id and key_id) or certificate_file is required"
        for name in ("team_id", "key_id"):
            if key is not None and given.get(name) is None:
                yield (name,), "required with key_file"
        if str(given.get("topic", "")).endswith(".voip"):
            yield ("topic",), "the bundle id alone: .voip is appended for VoIP pushes"


class FcmSettings(Section):
    """Credentials for Google: a service account."""

    service_account_file: PrivateFile
    url: Url = "https://fcm.googleapis.com"
    ca_file: ReadableFile | None = None
    """Trusted besides the system's authorities, for the account's token_uri too (simulator, tests)."""


class AppSettings(Section):
    """One application with exactly one provider."""

    id: Name
    apns: ApnsSettings | None = None
    fcm: FcmSettings | None = None

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        if (given.get("apns") is None) == (given.get("fcm") is None):
            yield (), "exactly one of apns and fcm is required"

    @property
    def provider(self) -> Provider:
        """Who delivers for this app."""
        return Provider.APNS if self.apns is not None else Provider.FCM
