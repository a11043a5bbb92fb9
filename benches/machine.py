"""Under what conditions something was measured."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.programs import program

_PACKAGES = ("temporalio", "fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "sqlalchemy", "psycopg")


def conditions(directory: Path) -> dict[str, str]:
    """Machine, versions, load, and what a flush to the disk under ``directory`` costs."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "temporal server": _temporal(),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "fsync of 4 KiB": f"{_fsync_ms(directory):.2f} ms (median of 50)",
        "commit": _commit(),
        **{name: version(name) for name in _PACKAGES},
    }


def _commit() -> str:
    """Of the code that is measured: figures that were written since, and documents, change nothing."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/results", ":!docs")
    return _git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _temporal() -> str:
    said = subprocess.run([program("temporal"), "--version"], capture_output=True, text=True, check=True)
    return said.stdout.strip()


def _git(*words: str) -> str:
    said = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def _fsync_ms(directory: Path) -> float:
    times = []
    with (directory / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return median(times)
