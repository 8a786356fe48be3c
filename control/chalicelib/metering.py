"""Counts what jobs' instances cost, at prices that are asked for once a run of reconcile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from aws_parallelizer.aws import prices as gateway
from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.registry import Registry
from aws_parallelizer.core import money
from aws_parallelizer.core.fleet import Instance
from aws_parallelizer.core.job import Job
from aws_parallelizer.core.launch_data import DEFAULT_TYPES
from aws_parallelizer.core.money import Change, Pool, Prices
from aws_parallelizer.core.spending import Spending

log = logging.getLogger(__name__)

_MARGIN = timedelta(minutes=15)  # other jobs of the run may have to count a little further back
_LONGEST = timedelta(days=89)  # EC2 keeps spot prices for 90


@dataclass
class Meter:
    """One run's prices. `jobs` = all that the run is about, so that the spot prices of all their
    types are asked for at once, and not at all where nothing is to be counted.
    """

    client: Any
    registry: Registry
    now: Callable[[], datetime]
    jobs: Iterable[Job] = ()
    _history: dict[Pool, list[Change]] = field(default_factory=dict)
    _asked: dict[str, datetime] = field(default_factory=dict)

    def count(self, spending: Spending, instances: Iterable[Instance], *, job: Job) -> Spending:
        """The job's spending with what EC2 shows now. Where prices cannot be read, the time is
        noted and counted by a later run.
        """
        seen = money.observed(spending, instances, now=self.now(), since=job.created)
        return money.charged(seen, self._prices(seen))

    @cached_property
    def on_demand(self) -> dict[str, float]:
        """Dollars an hour by type, empty where nobody could read them. Asked for once a run."""
        found = self.registry.prices()
        return found.on_demand if found else {}

    def _prices(self, spending: Spending) -> Prices:
        self._ask(spending)
        bought = any(not each.spot for each in spending.uptimes)
        return Prices(spot=self._history, on_demand=self.on_demand if bought else {})

    def _ask(self, spending: Spending) -> None:
        due = money.due_since(spending)
        if due is None:
            return
        since = max(due, self.now() - _LONGEST)
        needed = {each.type for each in spending.uptimes if each.spot}
        missing = {each for each in needed if each not in self._asked or self._asked[each] > since}
        if not missing:
            return
        types = missing if self._asked else missing | self._all_types
        since = min(since, self.now() - _MARGIN)
        try:
            found = gateway.spot_history(self.client, types, since=since, now=self.now())
        except CALL_FAILED as error:
            # The time stays noted in each fleet's row; the next run asks again for all of it.
            log.warning("spot prices could not be read, so spending is counted later: %s", error)
            found = {}
        self._history.update(found)
        self._asked.update(dict.fromkeys(types, since))

    @cached_property
    def _all_types(self) -> set[str]:
        return {each for job in self.jobs for each in job.parameters.instance_type or DEFAULT_TYPES}
