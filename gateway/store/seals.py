"""How a device token is written down: sealed with AES-256-GCM when `store.token_keys` holds a key, else as it is.

The first key seals, all of them open. A sealed token names the key it needs, and opens only in the field of the device
that it was sealed for: copied to another device within the store, it is no token. A token that was stored before there
was a key is read as it is.

`sealed <key id> <base64 of 12 bytes of nonce and the ciphertext with its tag>`: no token holds a blank, so that the two
forms cannot be taken for each other.
"""

import base64
import json
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.settings import TokenKey

_SEALED = "sealed "
_NONCE_BYTES = 12

Place = tuple[str, ...]
"""Whose token it is: tenant, extension, device id, and the field's name."""


class CannotOpen(Exception):
    """The key is not there, or what is stored is not what was sealed for this place."""


class Seals:
    """Seals and opens tokens. Without keys tokens are stored as they are."""

    def __init__(self, keys: Sequence[TokenKey] = ()) -> None:
        self._ciphers = {key.id: AESGCM(key.raw) for key in keys}
        self._first = keys[0].id if keys else None

    @property
    def first(self) -> str | None:
        """Id of the key that seals; None: no key."""
        return self._first

    def seal(self, token: str, place: Place) -> str:
        """The token as it is stored."""
        if self._first is None:
            return token
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, token.encode(), _bound(self._first, place))
        return f"{_SEALED}{self._first} {base64.b64encode(nonce + sealed).decode()}"

    def open(self, stored: bytes, place: Place) -> str:
        """The token that was stored. Raises `CannotOpen`."""
        text = stored.decode()
        if not text.startswith(_SEALED):
            return text
        key_id, _, sealed = text.removeprefix(_SEALED).partition(" ")
        if key_id not in self._ciphers:
            raise CannotOpen
        try:
            raw = base64.b64decode(sealed, validate=True)
            nonce, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return self._ciphers[key_id].decrypt(nonce, rest, _bound(key_id, place)).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotOpen from error

    def is_current(self, stored: bytes) -> bool:
        """Whether sealing it anew would change nothing but the nonce."""
        return self._first is None or stored.startswith(f"{_SEALED}{self._first} ".encode())


def _bound(key_id: str, place: Place) -> bytes:
    return json.dumps([key_id, *place], separators=(",", ":")).encode()
