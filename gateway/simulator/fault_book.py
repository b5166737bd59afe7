"""Which scripted fault meets a request. Pure: no clock, no I/O."""

from dataclasses import dataclass

from gateway.simulator.exchange import Addressed
from gateway.simulator.faults import Fault, Match, ScriptedFault


def matches(match: Match, facts: Addressed) -> bool:
    """Whether every given part of `match` fits the request."""
    return (
        match.provider in {None, facts.provider}
        and match.environment in {None, facts.environment}
        and match.token in {None, facts.token}
        and match.topic in {None, facts.topic}
        and (match.path is None or facts.path.startswith(match.path))
    )


@dataclass(slots=True)
class _Entry:
    id: int
    fault: Fault
    passed: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.count is not None and self.hits >= self.fault.count


class FaultBook:
    """Faults in force, oldest first; the first that matches takes the request."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._last_id = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, fault: Fault) -> int:
        """Put a fault in force; answers its id (from 1)."""
        self._last_id += 1
        self._entries.append(_Entry(self._last_id, fault))
        return self._last_id

    def take(self, facts: Addressed) -> Fault | None:
        """The fault that meets this request; counts the hit, and drops the fault when it is used up."""
        for entry in self._entries:
            if not matches(entry.fault.match, facts):
                continue
            if entry.passed < entry.fault.skip:
                entry.passed += 1
                continue
            entry.hits += 1
            if entry.spent:
                self._entries.remove(entry)
            return entry.fault
        return None

    def clear(self) -> None:
        """End every fault."""
        self._entries.clear()

    def remove(self, fault_id: int) -> bool:
        """End one fault; False: it is not in force."""
        kept = [entry for entry in self._entries if entry.id != fault_id]
        found = len(kept) < len(self._entries)
        self._entries = kept
        return found

    def list(self) -> tuple[ScriptedFault, ...]:
        """Everything in force."""
        return tuple(
            ScriptedFault(
                id=entry.id,
                fault=entry.fault,
                hits=entry.hits,
                remaining=None if entry.fault.count is None else entry.fault.count - entry.hits,
            )
            for entry in self._entries
        )
