"""Development secrets: made once per data directory, readable by its owner only, handed on by environment."""

import secrets
from dataclasses import dataclass, fields
from pathlib import Path

from charging.bootstrap.files import read_json, write_json


@dataclass(frozen=True)
class DevelopmentSecrets:
    """What the processes of one embedded stack share. ``sandbox_token`` is the OCPI registration token (TOKEN_A),
    ``neighbours_key`` what the neighbours know us by.
    """

    admin_key: str
    jwt_secret: str
    secret_key: str
    sandbox_token: str
    neighbours_key: str

    @classmethod
    def of(cls, path: Path) -> "DevelopmentSecrets":
        """The secrets kept at ``path``; those that are missing are made there."""
        kept = read_json(path) or {}
        missing = {field.name: secrets.token_urlsafe(32) for field in fields(cls) if field.name not in kept}
        if missing:
            write_json(path, kept | missing)
        return cls(**kept, **missing)
