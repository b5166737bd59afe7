"""Does what was drawn: kills, freezes, scripts."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.simulator.faults import Answer
from tests.chaos import stores
from tests.chaos.configuration import CONCURRENCY
from tests.chaos.disasters import Disaster, Freeze, Kill, Move, Phone, Refuse, Revoke, Script, Step, Target
from tests.chaos.patience import insist
from tests.chaos.stage import Stage

_WORKERS = (Target.WORKER_1, Target.WORKER_2)


class Havoc:
    """Does disasters on a stage, and keeps count of the harm that explains repeats."""

    def __init__(self, stage: Stage, *, say: Callable[[str], None] = lambda line: None) -> None:
        self._stage = stage
        self._say = say
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_frozen = False
        self.done: Counter[str] = Counter()
        self.actions: list[str] = []
        self.repeats_allowed = 0
        """Pushes whose answers may have been lost: of a killed worker or a store that did not answer, all that were in
        flight; of a scripted fault, those that it says."""

    async def play(self, step: Step) -> None:
        """Wait, then do the next disaster; what takes time goes on behind it."""
        await asyncio.sleep(step.wait_seconds)
        await self.do(step.disaster)

    async def do(self, disaster: Disaster) -> None:
        """Do one disaster."""
        self.actions.append(str(disaster))
        self._say(str(disaster))
        match disaster:
            case Kill():
                await self._kill(disaster)
            case Freeze(milliseconds=milliseconds):
                self._freeze(milliseconds / 1000)
            case Script():
                await self._script(disaster)
            case Phone(index=index, state=state, milliseconds=milliseconds):
                self.done["phones in trouble"] += 1
                await self._stage.phones.trouble(index, state, milliseconds / 1000)
            case Refuse(index=index):
                self.done["refusals for good"] += 1
                await self._stage.phones.refuse(index)
            case Revoke():
                self.done["revocations"] += 1
                await insist(self._stage.control.revoke_oauth_tokens)
            case Move(index=index):
                self.done["phones that changed hands"] += 1
                await self._stage.phones.move(index)

    async def end(self) -> None:
        """Everything that was begun passes; the providers are well again."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        await insist(self._stage.control.clear_faults)
        await self._stage.phones.calm()

    async def _kill(self, kill: Kill) -> None:
        self.done[f"{'SIGTERM' if kill.graceful else 'SIGKILL'} {kill.target}"] += 1
        if kill.target is Target.STORE:
            self._stage.store.kills += 1
            self.repeats_allowed += 2 * CONCURRENCY
            self._stage.store.stay_down(kill.down_ms / 1000)
            await stores.signalled(self._stage.store, signal.SIGTERM if kill.graceful else signal.SIGKILL)
            return
        if kill.target in _WORKERS:
            self.repeats_allowed += CONCURRENCY
        gateway = self._stage.gateways[kill.target]
        await gateway.kill(graceful=kill.graceful, down_seconds=kill.down_ms / 1000)

    def _freeze(self, seconds: float) -> None:
        if not self._is_frozen:
            self._is_frozen = True
            self.done["SIGSTOP store"] += 1
            self.repeats_allowed += 2 * CONCURRENCY
            self._later(self._frozen_for(seconds))

    async def _frozen_for(self, seconds: float) -> None:
        pid = await stores.signalled(self._stage.store, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._is_frozen = False
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _script(self, script: Script) -> None:
        self.done["faults of providers"] += 1
        breaks_connections = not isinstance(script.fault.what, Answer)
        self.repeats_allowed += 2 * CONCURRENCY if breaks_connections else script.repeats
        fault_id = await insist(lambda: self._stage.control.add_fault(script.fault))
        if script.milliseconds is not None:
            self._later(self._unscripted(fault_id, script.milliseconds / 1000))

    async def _unscripted(self, fault_id: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await insist(lambda: self._end_fault(fault_id))

    async def _end_fault(self, fault_id: int) -> None:
        async with self._stage.session.delete(f"{self._stage.simulator.control_url}/faults/{fault_id}"):
            pass  # 404: cleared meanwhile

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()
