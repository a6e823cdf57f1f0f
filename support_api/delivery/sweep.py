"""What has to be looked after again and again, though nobody asks for it. Must not know HTTP or the relay."""

from datetime import datetime, timedelta

import structlog

from support_api.errors import StoreUnavailable
from support_api.services import Services

_log = structlog.get_logger("support_api.sweep")


class Sweep:
    """One look, again and again: gives away tickets that wait although somebody is free, takes those of operators who were
    silent for longer than `silence`, and ends sessions that are over.

    Silence counts only while the desk could have heard: after its start, and after a time in which it could store nothing
    or the machine slept, operators first get the whole `silence` to send a heartbeat. `interval`: seconds between two looks.
    """

    def __init__(self, services: Services, silence: timedelta, interval: float = 0.0) -> None:
        self._services = services
        self._silence = silence
        self._longest_pause = silence + timedelta(seconds=interval)
        self._listens_since = self._looked_at = services.database.now()

    async def look(self) -> None:
        """Look once. Raises `StoreUnavailable`."""
        now, before = self._services.database.now(), self._looked_at
        self._looked_at = now
        if now - before > self._longest_pause:
            self._listens_since = now
        try:
            await self._work(now)
        except StoreUnavailable:
            self._listens_since = now
            raise

    async def _work(self, now: datetime) -> None:
        await self._services.sessions.end_expired()
        if now - self._listens_since > self._silence:
            released = await self._services.assignment.release_silent(self._silence)
            if released:
                _log.info("tickets_of_silent_operators_released", count=released)
        await self._look_for_silence()
        assigned = await self._services.assignment.assign_waiting()
        if assigned:
            _log.info("waiting_tickets_assigned", count=assigned)

    async def _look_for_silence(self) -> None:
        silence = self._services.silence
        for name, work in (("warned", silence.warn), ("closed", silence.close), ("handed_on", silence.hand_on)):
            if count := await work():
                _log.info(f"silent_conversations_{name}", count=count)
