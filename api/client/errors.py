"""What can go wrong between a shop and the service.

SegueError
├── UnreachableError  no answer, or none in time: the next attempt may succeed
└── RefusedError      an answer that says no: the same request will not succeed
"""


class SegueError(Exception):
    """Base of everything that the client raises."""


class UnreachableError(SegueError):
    """No usable answer: no connection, out of time, or the service cannot just now.

    Args:
        message: What happened.
        retry_after_s: How long the service asks to wait, in seconds; None where it does not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedError(SegueError):
    """The service refuses the request.

    Args:
        status: HTTP status code.
        detail: What is wrong and what helps, in the service's words.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
