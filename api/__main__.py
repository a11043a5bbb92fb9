"""``python -m api``: the API's process. Wiring only; behind it stands uvicorn."""

import argparse
import gc
import importlib

import uvicorn

from api.protocol import GuardedProtocol
from charging import logs, temporal
from charging.settings import get_settings


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m api", description="The REST API, and what CPOs call.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-access-log", dest="access_log", action="store_false", help="do not log each request")
    parser.add_argument("--grace", type=int, default=5, help="s that requests under way have when it is to stop")
    arguments = parser.parse_args()
    settings = get_settings()
    logs.configure(log_format=settings.log_format, our_level=settings.log_level)
    temporal.use_our_logs()
    importlib.import_module("api.app")  # by name, as uvicorn wants it where WEB_CONCURRENCY asks for several processes
    gc.freeze()  # what is imported stays; without this each full collection walks through it, a tenth of a second
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=arguments.host,
        port=arguments.port,
        access_log=arguments.access_log,
        timeout_graceful_shutdown=arguments.grace,
        log_config=None,  # charging.logs has it
        http=GuardedProtocol,
        ws="none",
        server_header=False,
    )


if __name__ == "__main__":
    main()
