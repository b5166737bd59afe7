"""Presence settings of a Yeastar PBX and ours are kept the same: read on start, at intervals, and after changes.

A PBX that refuses, does not answer or answers garbage changes nothing here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog
from pydantic import JsonValue

from gateway.connectors.outgoing import NoAnswer
from gateway.connectors.yeastar import YeastarConnector
from gateway.connectors.yeastar_client import JsonObject, PbxRefuses, rows
from gateway.domain.errors import InvalidInput
from gateway.domain.event import Clock, EventKind, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import STATUSES, AnySettings, Profile, StatusSettings, canonical_status, default_settings
from gateway.ingress.yeastar_settings import Dialect, changes_for, fingerprint, settings_from
from gateway.pipeline.intake import Arrival, Intake
from gateway.policy.synchronisation import Agreement, Dates, Step, step
from gateway.settings import ConnectorSettings, TenantSettings
from gateway.store import Rereading, Side, Store

logger = structlog.get_logger(__name__)

AT_ONCE = 20
"""Extensions asked for in one `extension/query`."""
MOST_READINGS = 50
WORDS = {"lunch_break": "lunch"}
"""Yeastar's word for a status, where it is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extension:
    """One extension as the PBX has it, and who said that it changed."""

    id: int
    number: str
    listed: JsonObject
    detail: JsonObject
    dialect: Dialect
    dates: Dates

    @property
    def settings(self) -> dict[str, JsonObject]:
        """Its `presence_list` by status."""
        listed = self.detail.get("presence_list")
        found: dict[str, JsonObject] = {}
        for row in listed if isinstance(listed, list) else ():
            if isinstance(row, dict) and isinstance(status := row.get("status"), str):
                found[canonical_status(status)] = row
        return found

    def text(self, name: str) -> str | None:
        """A field of the list, or of the detail; None: the PBX sends none."""
        value = self.listed.get(name, self.detail.get(name))
        return value.strip() if isinstance(value, str) else None


class YeastarSync:
    """Synchronises one source. Raises `NoAnswer`, `PbxRefuses` and `StoreUnavailable`; what was not done is done by the
    next reading."""

    def __init__(
        self,
        connector: YeastarConnector,
        *,
        tenant: TenantSettings,
        source: str,
        settings: ConnectorSettings,
        store: Store,
        intake: Intake,
        clock: Clock,
    ) -> None:
        self.connector = connector
        self.source = source
        self.settings = settings
        self._tenant = tenant
        self._store = store
        self._intake = intake
        self._clock = clock
        self._noted: set[str] = set()

    async def read(self, asked: Iterable[Rereading], *, whole: bool) -> None:
        """Synchronise those that were asked for, or the whole PBX. An extension that its list has no more keeps its
        settings here."""
        listed = [row async for row in self.connector.client.pages("extension/list")]
        by_number = {row["number"]: row for row in listed if isinstance(row.get("number"), str)}
        numbers = {str(row.get("id")): str(number) for number, row in by_number.items()}
        dialect = Dialect(
            names=self.settings.presence_fields or {}, push_field=self.settings.push_setting_field, numbers=numbers
        )
        dates = _dates(asked)
        wanted = [row for number, row in by_number.items() if whole or number in dates]
        for start in range(0, len(wanted), AT_ONCE):
            for one in await self._details(wanted[start : start + AT_ONCE], dialect, dates):
                await self._apart(one)

    async def _apart(self, one: _Extension) -> None:
        """What the PBX refuses about one extension keeps no other from being synchronised."""
        try:
            await self._synchronise(one)
        except PbxRefuses as error:
            if error.about_token:
                raise
            self.connector.record.failed(f"extension/update: {error}")
            logger.warning("the PBX refuses a change", **self._place(one), why=str(error))

    async def _details(
        self, listed: list[JsonObject], dialect: Dialect, dates: Mapping[str, Dates]
    ) -> list[_Extension]:
        ids = ",".join(str(row.get("id")) for row in listed)
        details = {row.get("id"): row for row in rows(await self.connector.client.get("extension/query", ids=ids))}
        return [
            _Extension(
                id=row_id,
                number=str(row["number"]).strip(),
                listed=row,
                detail=details[row_id],
                dialect=dialect,
                dates=dates.get(str(row["number"]).strip(), Dates()),
            )
            for row in listed
            if isinstance(row_id := row.get("id"), int) and row_id in details
        ]

    async def _synchronise(self, one: _Extension) -> None:
        tenant = self._tenant.id
        state = await self._store.extensions.load(tenant, one.number)
        if state.profile.source not in (None, self.source):
            return
        known = {
            name: Agreement(theirs=both[:32], ours=both[32:])
            for name, both in (await self._store.synchronised.load(tenant, one.number)).items()
        }
        agreed: dict[str, Agreement] = {}
        changes: dict[str, JsonValue] = {}
        await self._mobile_number(one, state, known, agreed, changes)
        await self._settings(one, known, agreed, changes)
        await self._status(one, known, agreed, changes)
        if changes:
            await self.connector.client.post("extension/update", {"id": one.id, **changes})
            logger.info("written to the PBX", **self._place(one), fields=sorted(changes))
        remembered = {name: f"{both.theirs}{both.ours}" for name, both in agreed.items() if known.get(name) != both}
        await self._store.synchronised.save(tenant, one.number, remembered)

    async def _mobile_number(
        self,
        one: _Extension,
        state: ExtensionState,
        known: Mapping[str, Agreement],
        agreed: dict[str, Agreement],
        changes: dict[str, JsonValue],
    ) -> None:
        theirs = one.text("mobile_number")
        if theirs is None:
            return
        now = Agreement(theirs=fingerprint(theirs), ours=fingerprint(state.profile.mobile_number or ""))
        if not theirs and "mobile_number" not in known:
            # Nobody has written it there yet: that is no reason to forget it here.
            agreed["mobile_number"] = now
            return
        match self._step("mobile_number", one, now, known.get("mobile_number")):
            case Step.TAKE:
                taken = await self._take_mobile_number(one, theirs or None)
                now = replace(now, ours=fingerprint(taken or ""))
            case Step.WRITE:
                changes["mobile_number"] = state.profile.mobile_number or ""
                now = replace(now, theirs=now.ours)
        agreed["mobile_number"] = now

    async def _settings(
        self,
        one: _Extension,
        known: Mapping[str, Agreement],
        agreed: dict[str, Agreement],
        changes: dict[str, JsonValue],
    ) -> None:
        written: list[JsonValue] = []
        for status, row in one.settings.items():
            if status not in STATUSES and status not in self._tenant.policy.custom_statuses:
                continue
            state = await self._store.extensions.load(self._tenant.id, one.number)
            ours = state.settings.get(status) or default_settings(status)
            now = Agreement(theirs=one.dialect.fingerprint(row), ours=fingerprint(ours.model_dump(mode="json")))
            match self._step(status, one, now, known.get(status)):
                case Step.TAKE:
                    ours = await self._take_settings(one, status, row)
                    now = replace(now, ours=fingerprint(ours.model_dump(mode="json")))
                case Step.WRITE:
                    changed = changes_for(row, ours, dialect=one.dialect)
                    if changed:
                        written.append({"status": row["status"], **changed})
                    now = replace(now, theirs=one.dialect.fingerprint({**row, **changed}))
            agreed[status] = now
        if written:
            changes["presence_list"] = written

    async def _status(
        self,
        one: _Extension,
        known: Mapping[str, Agreement],
        agreed: dict[str, Agreement],
        changes: dict[str, JsonValue],
    ) -> None:
        said = one.text("presence_status")
        if not said:
            return
        theirs = canonical_status(said)
        state = await self._store.extensions.load(self._tenant.id, one.number)
        now = Agreement(theirs=fingerprint(theirs), ours=fingerprint(state.presence.status))
        if now.theirs == now.ours:
            agreed["presence"] = now
            return
        match self._step("presence", one, now, known.get("presence")):
            case Step.TAKE:
                event = PbxEvent(kind=EventKind.PRESENCE_CHANGED, extension=one.number, identity=None, presence=theirs)
                arrival = Arrival(tenant=self._tenant, source=self.source, received_at=self._clock())
                await self._intake.accept(arrival, (event,))
                now = replace(now, ours=now.theirs)
            case Step.WRITE:
                changes["presence_status"] = WORDS.get(state.presence.status, state.presence.status)
                now = replace(now, theirs=now.ours)
        agreed["presence"] = now

    def _step(self, what: str, one: _Extension, now: Agreement, known: Agreement | None) -> Step:
        found, conflict = step(now, known, one.dates, writes=self.settings.sync == "both")
        if conflict:
            logger.warning(
                "changed here and at the PBX: the last change wins", **self._place(one), what=what, step=found
            )
        elif found is not Step.NOTHING and known is not None:
            logger.info("changed since the last synchronisation", **self._place(one), what=what, step=found)
        return found

    async def _take_settings(self, one: _Extension, status: str, row: JsonObject) -> AnySettings:
        for _ in range(MOST_READINGS):
            state = await self._store.extensions.load(self._tenant.id, one.number)
            present = state.settings.get(status) or default_settings(status)
            try:
                settings, notes = settings_from(
                    row,
                    present,
                    status=status,
                    extension=one.number,
                    mobile_number=state.profile.mobile_number,
                    dialect=one.dialect,
                )
            except InvalidInput as error:
                self._note(one, status, [problem.loc for problem in error.problems])
                return present
            self._note(one, status, notes)
            if settings == present or await self._store.extensions.save(state, settings=(status, settings)):
                return settings
        raise NoAnswer("the extension is being changed too often")

    async def _take_mobile_number(self, one: _Extension, number: str | None) -> str | None:
        for _ in range(MOST_READINGS):
            state = await self._store.extensions.load(self._tenant.id, one.number)
            profile = state.profile
            try:
                taken = Profile.model_validate({**profile.model_dump(), "mobile_number": number})
            except ValueError:
                self._note(one, "mobile_number", ["not a number"])
                return profile.mobile_number
            if number is None and _rings_mobile(state):
                self._note(one, "mobile_number", ["kept: a status rings it"])
                return profile.mobile_number
            if taken == profile or await self._store.extensions.save(state, profile=taken):
                return taken.mobile_number
        raise NoAnswer("the extension is being changed too often")

    def _note(self, one: _Extension, what: str, notes: Iterable[str]) -> None:
        """What was normalised, once per extension."""
        said = [*notes]
        if said and one.number not in self._noted:
            self._noted.add(one.number)
            logger.warning("settings of the PBX were normalised", **self._place(one), what=what, notes=said)

    def _place(self, one: _Extension) -> dict[str, str]:
        return {"tenant": self._tenant.id, "source": self.source, "extension": one.number}


def _rings_mobile(state: ExtensionState) -> bool:
    return any(
        isinstance(settings, StatusSettings) and settings.ring_mobile_simultaneously.enabled
        for settings in state.settings.values()
    )


def _dates(asked: Iterable[Rereading]) -> dict[str, Dates]:
    found: dict[str, Dates] = {}
    for one in asked:
        dates = found.get(one.extension, Dates())
        found[one.extension] = replace(dates, theirs=one.at) if one.side is Side.PBX else replace(dates, ours=one.at)
    return found
