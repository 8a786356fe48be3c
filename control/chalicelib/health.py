"""What an instance's worker says of itself, and what its silence says: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_parallelizer.core.fleet import Beat, Instance, Phase

SIGN_OF_LIFE = timedelta(minutes=10)  # to boot and fetch the environment; between two beats
_SKEW = timedelta(minutes=2)  # between an instance's clock and EC2's


@dataclass(frozen=True, kw_only=True)
class Health:
    """The workers' last beats, by instance, as seen at `now`."""

    now: datetime
    beats: Mapping[str, Beat]

    def has_worked(self, instance: Instance) -> bool:
        """Whether its worker was ready for tasks in this run of it."""
        beat = self._of_this_run(instance)
        return beat is not None and beat.ready

    def drains(self, instance: Instance) -> bool:
        """Whether its worker takes no more tasks."""
        beat = self._of_this_run(instance)
        return beat is not None and beat.phase is Phase.DRAINING

    def trouble(self, instance: Instance) -> str:
        """Why it does nothing though it runs; empty where it works, or may still begin to."""
        beat = self._of_this_run(instance)
        if beat is None or not (beat.ready or beat.phase is Phase.ENDED):
            return "" if self.now - instance.launched < SIGN_OF_LIFE else "never worked"
        if beat.phase is Phase.ENDED:
            return "its worker has ended"
        return "" if self.now - beat.seen < SIGN_OF_LIFE else "silent"

    def _of_this_run(self, instance: Instance) -> Beat | None:
        """Its worker's beat, unless that is from before the instance was stopped and started."""
        beat = self.beats.get(instance.id)
        return beat if beat and beat.started >= instance.launched - _SKEW else None
