"""What Temporal keeps is ciphertext: AES-256-GCM, with the id of the key beside each payload.

Search attributes, workflow ids and schedules' notes are not payloads: they stay plain, and hold no personal data.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from charging.errors import PayloadUnreadable
from charging.settings import Settings
from charging.store.secrets import derived, split

ENCODING = b"binary/encrypted"  # as Temporal's own samples call it, so that tools show it as such
KEY_ID = "encryption-key-id"
_PURPOSE = "temporal payloads"
_SALT, _NONCE = 16, 12
_HEAD = _SALT + _NONCE


class EncryptionCodec(PayloadCodec):
    """Encrypts with the first of ``keys``, decrypts with whichever a payload names; what is plain is left as it is.

    ``encrypts`` False leaves what it writes plain and still reads what is encrypted, so that encryption can be
    switched on and off under open sessions.
    """

    def __init__(self, keys: Sequence[bytes], *, encrypts: bool) -> None:
        self._keys = {_id_of(key): key for key in keys}
        self._newest = _id_of(keys[0])
        self._encrypts = encrypts

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads, encrypted."""
        return [self._encrypted(payload) if self._encrypts else payload for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads as they were. Raises ``PayloadUnreadable``."""
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        # A key of its own for each payload: one key with random nonces would be used up after 2**32 of them.
        salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
        key_id = self._newest
        sealed = _cipher(self._keys[key_id], salt).encrypt(nonce, payload.SerializeToString(), None)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=salt + nonce + sealed)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self._keys.get(key_id)
        if key is None:
            known = ", ".join(self._keys)
            raise PayloadUnreadable(f"no key {key_id!r} in CHARGING_SECRET_KEYS here, which has {known}")
        salt, nonce, sealed = payload.data[:_SALT], payload.data[_SALT:_HEAD], payload.data[_HEAD:]
        try:
            return Payload.FromString(_cipher(key, salt).decrypt(nonce, sealed, None))
        except (InvalidTag, ValueError):
            raise PayloadUnreadable(f"a payload of key {key_id!r} has been changed") from None


def codec(settings: Settings) -> EncryptionCodec:
    """The codec of these settings."""
    keys = [derived(key, _PURPOSE) for key in split(settings.secret_keys)]
    return EncryptionCodec(keys, encrypts=settings.encrypts_payloads)


def data_converter(settings: Settings) -> DataConverter:
    """How everything of ours is written to Temporal; messages and stack traces of failures are payloads too."""
    failures = DefaultFailureConverterWithEncodedAttributes if settings.encrypts_payloads else DefaultFailureConverter
    return replace(pydantic_data_converter, payload_codec=codec(settings), failure_converter_class=failures)


def _id_of(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:12]


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, salt, "sha256"))
