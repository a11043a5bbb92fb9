"""The sandbox's clock: real time, to the millisecond, as OCPI writes it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware UTC, whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
