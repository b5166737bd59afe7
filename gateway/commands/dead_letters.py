"""`push-gateway dead-letters`: pushes that were given up."""

from datetime import UTC, datetime

from rich.table import Table

from gateway.bootstrap import clock
from gateway.commands.printing import console
from gateway.domain.event import Millis
from gateway.pipeline.replay import NotReplayed, Replay, Replayed
from gateway.settings import Settings
from gateway.store import PushRecord, open_store

PAGE = 100


async def list_all(settings: Settings) -> None:
    """A line per dead letter, the last that died first."""
    table = Table()
    for column in ("push", "tenant", "extension", "device", "kind", "given up", "reason"):
        table.add_column(column, overflow="fold")
    async with open_store(settings.store, clock=clock) as store:
        after: str | None = None
        while True:
            page = await store.dead_letters.list(after=after, limit=PAGE)
            for record in page:
                table.add_row(*_cells(record))
            if len(page) < PAGE:
                break
            after = page[-1].push.push_id
    console().print(table if table.row_count else "No dead letters.")


async def show(settings: Settings, push_id: str) -> bool:
    """One dead letter with its attempts; False: there is none of that id."""
    async with open_store(settings.store, clock=clock) as store:
        record = await store.dead_letters.get(push_id)
    if record is None:
        console().print("No such dead letter.")
        return False
    out = console()
    for name, value in zip(
        ("push", "tenant", "extension", "device", "kind", "given up", "reason"), _cells(record), strict=True
    ):
        out.print(f"{name:<10} {value}", markup=False, highlight=False)
    for attempt in record.attempts:
        status = attempt.status if attempt.status is not None else "-"
        text = f"{_time(attempt.at)}  {attempt.outcome}  {status}  {attempt.reason}  {attempt.milliseconds} ms"
        out.print(f"attempt    {text}", markup=False, highlight=False)
    return True


async def replay(settings: Settings, push_id: str) -> bool:
    """Queue a dead letter again, if its event would be told today; False: it is not, and the line printed says why."""
    async with open_store(settings.store, clock=clock) as store:
        outcome = await Replay(settings, store, clock).replay(push_id)
    match outcome:
        case Replayed():
            console().print("Queued again.")
            return True
        case NotReplayed(why=why):
            console().print(f"Not replayed: {why}", markup=False, highlight=False)
            return False


async def drop(settings: Settings, push_id: str) -> bool:
    """Forget a dead letter; False: there is none of that id."""
    async with open_store(settings.store, clock=clock) as store:
        done = await store.dead_letters.drop(push_id)
    console().print("Dropped." if done else "No such dead letter.")
    return done


def _cells(record: PushRecord) -> tuple[str, ...]:
    push = record.push
    last = record.attempts[-1] if record.attempts else None
    given_up = _time(last.at) if last is not None else ""
    reason = last.reason if last is not None else ""
    return (push.push_id, push.tenant, push.extension, push.device_id, push.kind, given_up, reason)


def _time(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
