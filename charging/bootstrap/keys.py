"""Development secrets: made once per data directory, readable by its owner only, handed on by environment."""

import secrets
from dataclasses import dataclass, fields
from pathlib import Path

from charging.bootstrap.files import read_json, write_json


@dataclass(frozen=True)
class DevelopmentSecrets:
    """What the processes of one embedded stack share. ``sandbox_token`` is the OCPI registration token (TOKEN_A)."""

    admin_key: str
    jwt_secret: str
    secret_key: str
    sandbox_token: str

    @classmethod
    def of(cls, path: Path) -> "DevelopmentSecrets":
        """The secrets kept at ``path``, made there at the first call."""
        kept = read_json(path)
        if kept is None:
            kept = {field.name: secrets.token_urlsafe(32) for field in fields(cls)}
            write_json(path, kept)
        return cls(**kept)
