"""The ports of an embedded stack: fixed ones that people remember, or free ones; chosen once per data directory."""

import secrets
import socket
from collections.abc import Collection, Container, Iterator
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from charging.bootstrap.errors import StackError
from charging.bootstrap.files import read_json, write_json

HOST = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections: while a process is being restarted,
# nobody's connection may sit on its port.
AUTO_RANGE = range(15000, 32000)


@dataclass(frozen=True)
class Ports:
    """One port per server, all on loopback."""

    api: int = 8000
    temporal: int = 7233
    temporal_ui: int = 8233
    sandbox: int = 8100
    neighbours: int = 8200

    @classmethod
    def of(cls, path: Path, *, auto: bool) -> "Ports":
        """The ports kept at ``path``; those that are missing are chosen there: free ones (``auto``) or the usual."""
        kept = read_json(path) or {}
        missing = [field for field in fields(cls) if field.name not in kept]
        if missing:
            usual = [field.default for field in missing]
            chosen = _free_ports(len(missing), taken=kept.values()) if auto else usual
            kept |= {field.name: port for field, port in zip(missing, chosen, strict=True)}
            write_json(path, kept)
        return cls(**kept)

    def require_free(self, *, without: Container[str] = ()) -> None:
        """Raise ``StackError`` naming the first port that another process holds; not those ``without`` a server."""
        for name, port in asdict(self).items():
            if name not in without and not is_free(port):
                raise StackError(
                    "port_taken",
                    f"port {port} ({name}) is taken by another process; stop that one, "
                    "or use a fresh --data directory with --ports auto",
                )

    def __iter__(self) -> Iterator[int]:
        return iter(astuple(self))


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_ports(count: int, taken: Collection[int]) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        port = AUTO_RANGE.start + secrets.randbelow(len(AUTO_RANGE))
        if port not in taken and is_free(port):
            found.add(port)
    return [*found]
