"""Counts since the start or the last reset."""

from collections import Counter
from dataclasses import dataclass, field

from gateway.simulator.views import AnswerCount, Connections, Stats


@dataclass(slots=True)
class Counts:
    """Mutable; one for the whole simulator."""

    answers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    open_now: Counter[str] = field(default_factory=Counter)
    pushes: int = 0
    accepted: int = 0
    cancelled_streams: int = 0
    max_open_streams: int = 0
    oauth_tokens: int = 0

    def reset(self) -> None:
        """Back to zero; connections that are open stay counted as open."""
        for counter in (self.answers, self.violations, self.opened):
            counter.clear()
        self.pushes = self.accepted = self.cancelled_streams = self.max_open_streams = self.oauth_tokens = 0

    def view(self) -> Stats:
        """A copy for the control API."""
        return Stats(
            pushes=self.pushes,
            accepted=self.accepted,
            answers=tuple(
                AnswerCount(provider=provider, status=status, reason=reason, count=count)
                for (provider, status, reason), count in sorted(self.answers.items())
            ),
            connections=tuple(
                Connections(listener=name, open=self.open_now[name], total=self.opened[name])
                for name in ("apns", "apns_sandbox", "fcm")
            ),
            violations=dict(self.violations),
            cancelled_streams=self.cancelled_streams,
            max_open_streams=self.max_open_streams,
            oauth_tokens=self.oauth_tokens,
        )
