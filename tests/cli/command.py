"""``await command("status", session_id)``: the command ``charging``, its exit code and both its outputs."""

import asyncio
import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charging.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a shell would see."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout."""
        return json.loads(self.out.splitlines()[-1])


@dataclass(frozen=True)
class Command:
    """Runs the command on one data directory. In this process, in a thread: an interpreter's start costs a second."""

    data: Path

    async def __call__(self, *words: str, stdin: str = "", **environment: str) -> Outcome:
        return await asyncio.to_thread(self._run, words, stdin, environment)

    def _run(self, words: tuple[str, ...], stdin: str, environment: dict[str, str]) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ), sys.argv, sys.stdin
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        os.environ.update({"CHARGING_DATA": str(self.data), **environment})
        sys.argv = ["charging", *words]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
            code: Any = 0
        except SystemExit as end:
            code = end.code
        finally:
            os.environ.clear()
            os.environ.update(before[0])
            sys.argv, sys.stdin = before[1:]
        return Outcome(int(code or 0), out.getvalue(), err.getvalue())
