"""Which API a command talks to, and as whom: the stack running here, or the one that the environment names."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charging.bootstrap.directory import DataDirectory


@dataclass(frozen=True)
class Target:
    """An API and the user's token for it; ``admin_key`` where the command needs one.

    ``speed``: how many times their power the sandbox's cars take, so that what is shown can be put right.
    """

    api: str
    token: str
    admin_key: str
    speed: int = 1

    @classmethod
    def of(cls, run: dict[str, Any]) -> "Target":
        """The embedded stack that ``run.json`` describes, as its own user."""
        return cls(run["api"], run["token"], run["admin_key"], int(run["speed"]))


def target(data: Path | None) -> Target:
    """``CHARGING_API``, ``CHARGING_TOKEN`` and ``CHARGING_ADMIN_KEY`` where set, else the stack running on ``data``.

    As with the settings, a file in ``CHARGING_SECRETS_DIR`` may hold what the environment does not. Raises
    ``StackError`` where neither says where to go.
    """
    api, token, admin_key = (_given(f"CHARGING_{name}") for name in ("API", "TOKEN", "ADMIN_KEY"))
    if api:
        # Nothing of a stack that may run here goes along: its keys are not sent to a stranger.
        return Target(api, token, admin_key)
    here = Target.of(DataDirectory.of(data).running_stack())
    return replace(here, token=token or here.token)


def _given(name: str) -> str:
    folder = os.environ.get("CHARGING_SECRETS_DIR")
    file = Path(folder) / name.lower() if folder else None
    if name not in os.environ and file is not None and file.is_file():
        return file.read_text().strip()
    return os.environ.get(name, "")
