"""What the worker shows to Prometheus of its calls to CPOs, on the address of Temporal's own metrics."""

from datetime import UTC, datetime

from temporalio.common import MetricMeter

from charging.ocpi.breaker import BreakerState
from charging.ocpi.health import Call


class WorkerMetrics:
    """Written through ``meter``, that of the client's ``Runtime``. ``called`` is a ``PeerHealth.on_call``.

    An operation is a command's name, such as START_SESSION, else a module. Labels hold no ids.
    """

    def __init__(self, meter: MetricMeter) -> None:
        self._calls = meter.create_counter("charging_cpo_calls", "Calls to CPOs.")
        self._seconds = meter.create_histogram_float("charging_cpo_seconds", "Seconds until a CPO's answer.")
        self._is_open = meter.create_gauge("charging_cpo_breaker_open", "1 where calls to a CPO are held back.")
        self._failures = meter.create_gauge("charging_cpo_failures", "Calls to a CPO that failed in a row.")
        self._last_ok = meter.create_gauge("charging_cpo_last_ok_seconds", "When a CPO last answered, as Unix time.")

    def called(self, call: Call) -> None:
        """Count one call, and note how its CPO is doing."""
        connection = {"connection": call.connection.name}
        kind = {**connection, "operation": _operation(call), "outcome": call.outcome}
        self._calls.add(1, kind)
        self._seconds.record(call.seconds, kind)
        self._is_open.set(call.breaker.state is not BreakerState.CLOSED, connection)
        self._failures.set(call.breaker.failures, connection)
        if call.outcome in ("answered", "refused"):
            self._last_ok.set(int(datetime.now(UTC).timestamp()), connection)


def _operation(call: Call) -> str:
    module = call.connection.module_of(call.url)
    return call.url.rstrip("/").rsplit("/", 1)[-1] if module == "commands" else module
