"""What each process of the embedded stack is: its command, its environment, and how to tell that it works."""

import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

import charging
from charging import names
from charging.bootstrap.child import ChildSpec
from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.errors import StackError
from charging.bootstrap.keys import DevelopmentSecrets
from charging.bootstrap.neighbours import Payments, engine_settings, neighbours_url, webhook_secret
from charging.bootstrap.ports import HOST, Ports

ROOT = Path(charging.__file__).parent.parent  # where worker.py stands
NAMESPACE = "default"
# WAL doubles what the server can take. NORMAL: it survives a kill of the process, not a power cut.
SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
SILENCE_S = "5"  # the sandbox pushes far more often; what a killed process missed is asked for after this


@dataclass(frozen=True)
class Recipe:
    """How to run one embedded stack. ``speed``: sandbox cars take so many times their power."""

    directory: DataDirectory
    ports: Ports
    secrets: DevelopmentSecrets
    speed: int
    http: httpx.AsyncClient

    @property
    def api_url(self) -> str:
        """Where robots and CPOs reach the API."""
        return f"http://{HOST}:{self.ports.api}"

    @property
    def temporal_address(self) -> str:
        """Where the Temporal dev server listens, ``host:port``."""
        return f"{HOST}:{self.ports.temporal}"

    @property
    def temporal_ui_url(self) -> str:
        """Where people look at workflows."""
        return f"http://{HOST}:{self.ports.temporal_ui}"

    @property
    def cpo_url(self) -> str:
        """Where the sandbox CPO is."""
        return f"http://{HOST}:{self.ports.sandbox}"

    @property
    def neighbours_url(self) -> str:
        """Where the neighbours are, all at one address."""
        return neighbours_url(self.ports)

    def temporal(self) -> ChildSpec:
        """The Temporal dev server, with its histories in the data directory and our search attributes."""
        command = [
            temporal_command(), "server", "start-dev", "--ip", HOST, "--log-level", "warn",
            "--db-filename", str(self.directory.temporal_db),
            "--port", str(self.ports.temporal), "--ui-port", str(self.ports.temporal_ui),
        ]  # fmt: skip
        command += [word for pragma in SQLITE_PRAGMAS for word in ("--sqlite-pragma", pragma)]
        command += [word for name in names.SearchAttribute for word in ("--search-attribute", f"{name}=Keyword")]
        answers = self._answers(f"{self.temporal_ui_url}/api/v1/namespaces/{NAMESPACE}")
        return self._spec("temporal", command, str(self.directory.temporal_db), answers)

    def worker(self) -> ChildSpec:
        """The worker. Ready once Temporal knows this very process as a poller of our task queue."""
        return self._spec("worker", [sys.executable, "worker.py"], "worker.py", self._polls)

    def api(self) -> ChildSpec:
        """The REST API and OCPI endpoints, with the inbox and the sweeper in it."""
        command = [
            sys.executable, "-m", "api", "--host", HOST, "--port", str(self.ports.api),
            "--no-access-log", "--grace", "3",
        ]  # fmt: skip
        return self._spec("api", command, "-m api", self._answers(f"{self.api_url}/readyz"))

    def sandbox(self) -> ChildSpec:
        """The sandbox CPO, a real OCPI peer with books of its own."""
        command = [
            sys.executable, "-m", "charging.sandbox", "--port", str(self.ports.sandbox),
            "--data", str(self.directory.sandbox), "--speed", str(self.speed),
        ]  # fmt: skip
        return self._spec("sandbox", command, "charging.sandbox", self._answers(f"{self.cpo_url}/healthz"))

    def neighbours(self) -> ChildSpec:
        """Payments, EV Pass and Robot Jobs, with books of their own."""
        command = [
            sys.executable, "-m", "charging.sandbox.neighbours", "--port", str(self.ports.neighbours),
            "--data", str(self.directory.neighbours), "--engine", self.api_url,
        ]  # fmt: skip
        answers = self._answers(f"{self.neighbours_url}/healthz")
        return self._spec("neighbours", command, "charging.sandbox.neighbours", answers)

    def environment(self) -> dict[str, str]:
        """What all processes of this stack share: the caller's environment, with ours laid over it.

        ``TEMPORAL_*`` of the caller is left out: it would lead the stack to somebody else's server. So is the wish
        for no compiled modules: a process that is started again shall not have to compile everything again.
        """
        unwanted = ("TEMPORAL_", "PYTHONDONTWRITEBYTECODE")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        return {
            "CHARGING_SILENCE_S": SILENCE_S,
            **inherited,
            "PYTHONUNBUFFERED": "1",  # logs are read while things happen, and after a kill
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "CHARGING_ENVIRONMENT": "development",
            "CHARGING_DATABASE_URL": self.directory.database_url,
            "CHARGING_PUBLIC_URL": self.api_url,
            "CHARGING_ALLOW_PRIVATE_PEERS": "true",
            "CHARGING_MAX_POWER_FACTOR": str(self.speed),
            "CHARGING_ADMIN_KEY": self.secrets.admin_key,
            "CHARGING_SECRET_KEYS": self.secrets.secret_key,
            "CHARGING_SANDBOX_TOKEN": self.secrets.sandbox_token,
            "CHARGING_NEIGHBOURS_API_KEY": self.secrets.neighbours_key,
            "CHARGING_NEIGHBOURS_WEBHOOK_SECRET": webhook_secret(self.secrets),
            **{f"CHARGING_{name.upper()}": value for name, value in engine_settings(self.directory).items()},
            **self._who_users_are(),
        }

    def _who_users_are(self) -> dict[str, str]:
        """EV Pass signs the tokens of those whose money it keeps; else we do."""
        if engine_settings(self.directory)["payments"] != Payments.EVPASS:
            return {"CHARGING_JWT_ALGORITHMS": '["HS256"]', "CHARGING_JWT_SECRET": self.secrets.jwt_secret}
        return {
            "CHARGING_JWT_ALGORITHMS": '["ES256"]',
            "CHARGING_JWKS_URL": f"{self.neighbours_url}/.well-known/jwks.json",
        }

    def _spec(self, name: str, command: list[str], mark: str, ready: Callable[[int], Awaitable[bool]]) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=tuple(command),
            environment=self.environment(),
            cwd=ROOT,
            log=self.directory.log(name),
            mark=mark,
            ready=ready,
        )

    def _answers(self, url: str) -> Callable[[int], Awaitable[bool]]:
        async def ready(_pid: int) -> bool:
            return await self._get(url) is not None

        return ready

    async def _polls(self, pid: int) -> bool:
        queue = f"{self.temporal_ui_url}/api/v1/namespaces/{NAMESPACE}/task-queues/{names.TASK_QUEUE}"
        answer = await self._get(queue, params={"taskQueueType": "TASK_QUEUE_TYPE_WORKFLOW"})
        pollers = answer.json().get("pollers", []) if answer is not None else []
        return any(str(poller.get("identity", "")).startswith(f"{pid}@") for poller in pollers)

    async def _get(self, url: str, params: dict[str, str] | None = None) -> httpx.Response | None:
        try:
            answer = await self.http.get(url, params=params)
        except httpx.HTTPError:
            return None
        return answer if answer.is_success else None


def temporal_command() -> str:
    """The ``temporal`` command: the one beside this Python, else the one on the PATH."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise StackError("temporal_missing", "the command `temporal` is not installed; run `make setup`")
    return found
