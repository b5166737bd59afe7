"""The few exceptions: what the caller of a function cannot handle. One middleware turns them into answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input, and where."""

    loc: str
    """Place in the input, dotted: `data.call.id`, `msg.time_start`, `header webhook-timestamp`."""
    msg: str
    """What is wrong there, for a person; never holds a secret, a token or a caller number."""


class GatewayError(Exception):
    """Base of every error that the gateway raises on purpose."""


class MalformedInput(GatewayError):
    """The bytes are not what they claim to be (bad JSON, bad UTF-8, duplicate keys): HTTP 400."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{p.loc}: {p.msg}" for p in problems))
        self.problems = problems


class InvalidInput(GatewayError):
    """Well-formed, but a field is missing, of the wrong type or out of range: HTTP 422."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{p.loc}: {p.msg}" for p in problems))
        self.problems = problems


class BadProof(GatewayError):
    """No proof of identity, or a wrong one: HTTP 401. Deliberately says nothing more."""


class NotAllowed(GatewayError):
    """A good proof without the right: HTTP 403, the same whether or not the thing exists."""


class NotFound(GatewayError):
    """The thing asked for is not there: HTTP 404."""


class Conflict(GatewayError):
    """The request cannot be done in the present state (too many devices): HTTP 409."""


class StoreUnavailable(GatewayError):
    """The store cannot be reached or cannot write: HTTP 503 with Retry-After. Nothing is promised to be stored."""

    def __init__(self, detail: str = "the store is not available", retry_after_seconds: int = 2) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class TooLarge(GatewayError):
    """The body, or the batch, is over its limit: HTTP 413."""


class TooManyRequests(GatewayError):
    """One caller asks too often: HTTP 429 with Retry-After. Nothing was done."""

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__("too many requests")
        self.retry_after_seconds = retry_after_seconds


class CannotServe(GatewayError):
    """The process cannot begin its work, or cannot go on with it (the port is taken, the worker has ended): exit 1."""


class ConfigurationError(GatewayError):
    """The configuration cannot be used: no start, exit 2. Holds every problem that was found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(f"{p.loc}: {p.msg}" for p in problems))
        self.problems = problems
