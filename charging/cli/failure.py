"""How a command says no: one line ``code: detail`` on stderr, and an exit code that scripts can branch on."""


class Failure(Exception):
    """A command that did not do what it was asked. ``code`` is stable; ``exit_code`` is never 0."""

    def __init__(self, code: str, detail: str, *, exit_code: int = 1) -> None:
        super().__init__(f"{code}: {detail}")
        self.exit_code = exit_code
