"""``python -m charging.sandbox``: the sandbox CPO in a process of its own."""

import argparse
import sys
from pathlib import Path
from typing import Any

import uvicorn

from charging import logs
from charging.sandbox.app import create_app
from charging.sandbox.settings import SandboxSettings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m charging.sandbox", description="A CPO to practise with.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--data", type=Path, default=Path(".charging/sandbox"), help="where it remembers everything")
    parser.add_argument("--speed", type=float, help="cars take so many times the power")
    parser.add_argument("--token", help="TOKEN_A for registering (or CHARGING_SANDBOX_TOKEN)")
    parser.add_argument("--versions", help="of OCPI that are offered, e.g. 2.1.1,2.2.1 (default: all)")
    parser.add_argument("--push-interval", type=float, dest="push_interval_s", help="s between session updates")
    parser.add_argument("--linger", type=float, dest="linger_s", help="s that a full car stays")
    parser.add_argument("--log-level", default="warning")
    return parser.parse_args()


def main() -> None:
    """Serve until told to stop."""
    arguments = _arguments()
    given: dict[str, Any] = {
        name: value
        for name in ("speed", "token", "versions", "push_interval_s", "linger_s")
        if (value := getattr(arguments, name)) is not None
    }
    settings = SandboxSettings(**given)
    logs.configure(arguments.log_level.upper())
    if "token" not in settings.model_fields_set:
        sys.stderr.write(f"no --token given; register with {settings.token}\n")
    app = create_app(settings, arguments.data)
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        log_level=arguments.log_level,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
