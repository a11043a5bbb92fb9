"""Encryption at rest of what must be sent in the clear again: outbound OCPI tokens, webhook secrets."""

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr


def cipher(secret_keys: SecretStr, purpose: str) -> MultiFernet:
    """``secret_keys``: comma separated, newest first; all decrypt, the first encrypts. Each purpose has its own."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(derived(key, purpose))) for key in split(secret_keys)])


def split(secret_keys: SecretStr) -> list[str]:
    """The keys of the setting, newest first."""
    return [key.strip() for key in secret_keys.get_secret_value().split(",") if key.strip()]


def derived(key: str, purpose: str) -> bytes:
    """The 32 bytes that ``key`` is used as for one purpose; nothing of another purpose can be told from them."""
    return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(key.encode())
