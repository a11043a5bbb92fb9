"""The data directory of an embedded stack: where it keeps what, who may use it, and how others find it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charging.bootstrap.errors import StackError
from charging.bootstrap.files import read_json, write_json

DEFAULT_DIRECTORY = ".charging"
LOCK_PATIENCE_S = 1.0


@dataclass(frozen=True)
class DataDirectory:
    """One stack's state. A second stack on it is refused; a restart on it loses nothing."""

    root: Path

    @classmethod
    def of(cls, given: Path | None) -> "DataDirectory":
        """The directory given by ``--data``, else ``CHARGING_DATA``, else ``.charging`` here."""
        return cls((given or Path(os.environ.get("CHARGING_DATA") or DEFAULT_DIRECTORY)).expanduser().resolve())

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the store."""
        return f"sqlite+aiosqlite:///{self.root / 'charging.db'}"

    @property
    def temporal_db(self) -> Path:
        """The file in which Temporal keeps its histories."""
        return self.root / "temporal.db"

    @property
    def sandbox(self) -> Path:
        """Where the sandbox CPO keeps its own books."""
        return self.root / "sandbox"

    @property
    def neighbours(self) -> Path:
        """Where the sandbox's neighbours keep what they know."""
        return self.root / "neighbours"

    @property
    def payments_file(self) -> Path:
        """Who keeps the users' money, chosen at the first start."""
        return self.root / "payments.json"

    @property
    def secrets_file(self) -> Path:
        """The development secrets of this directory."""
        return self.root / "secrets.json"

    @property
    def ports_file(self) -> Path:
        """The ports that this directory was given at its first start."""
        return self.root / "ports.json"

    @property
    def run_file(self) -> Path:
        """The running stack, as other commands find it."""
        return self.root / "run.json"

    def log(self, child: str) -> Path:
        """The file that ``child`` writes its output to."""
        return self.root / "logs" / f"{child}.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory until the block ends or this process dies. Raises ``StackError`` when it is in use."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # users and one-time tokens are in the store
        (self.root / "logs").mkdir(exist_ok=True)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)  # and with it the lock

    def _lock(self, descriptor: int) -> None:
        # Patient for a moment: `is_running` of another command holds the lock for as long as it takes to ask.
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise StackError(
                    "already_running", f"a stack is running on {self.root}; stop it, or use another --data"
                )
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether some process holds the directory, seen by its lock: a ``run.json`` may outlive a kill."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def running_stack(self) -> dict[str, Any]:
        """``run.json`` of the stack that runs here. Raises ``StackError`` where none does, or not yet."""
        run = read_json(self.run_file) if self.is_running() else None
        if run is None:
            raise StackError("not_running", f"no stack is running on {self.root}; start one with `charging up`")
        if not run.get("ready"):
            raise StackError("starting", f"the stack on {self.root} is still starting")
        return run

    def write_run(self, run: dict[str, Any]) -> None:
        """Publish the running stack."""
        write_json(self.run_file, run)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
