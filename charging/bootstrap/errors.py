"""What can keep the embedded stack from running."""

from charging.errors import ChargingError


class StackError(ChargingError):
    """The embedded stack cannot start, or is not there. ``code`` is stable, ``detail`` tells a person what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
