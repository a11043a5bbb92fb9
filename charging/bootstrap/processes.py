"""Operating-system matters: children that never outlive their supervisor, and what one that was killed left behind."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """In a child, before exec: ask Linux to kill it when its parent dies, however that happens.

    SIGKILL, not SIGTERM: the stack must survive it anyway, and a hanging orphan would keep the ports.
    Elsewhere nothing: there ``end_leftover`` finds orphans at the next start.
    """
    if _libc is None:
        return
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def command_line(pid: int) -> str | None:
    """The command of process ``pid``, or None where there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") or None
        except (FileNotFoundError, ProcessLookupError):
            return None
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607 - fixed command of every Unix, our own number
    return shown.stdout.strip() or None


async def end_leftover(pid: int, mark: str, *, patience_s: float = 5) -> None:
    """Kill process ``pid`` if it is still the one whose command holds ``mark``; return when it is gone.

    The mark guards against a number that the system has given to somebody else meanwhile.
    """
    for _ in range(int(patience_s / 0.05)):
        if mark not in (command_line(pid) or ""):
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.05)
