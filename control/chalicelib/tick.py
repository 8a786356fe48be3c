"""One job's turn in a run of reconcile: read, plan, write, carry out."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from aws_parallelizer.aws.clients import CALL_FAILED
from aws_parallelizer.aws.ec2 import Ec2
from aws_parallelizer.aws.ec2_setup import Ec2Setup
from aws_parallelizer.core.fleet import Fleet, Mark, Streak
from aws_parallelizer.core.job import Job
from chalicelib import (
    books,
    dead_letters,
    lost_tasks,
    planning,
    remembering,
    trials,
    untold_objects,
)
from chalicelib.actions import Plan
from chalicelib.announcing import announced
from chalicelib.assessing import Assessor
from chalicelib.context import Context
from chalicelib.execution import Executor, Report
from chalicelib.holdings import UNSEEN, Holdings
from chalicelib.metering import Meter
from chalicelib.metrics import Log
from chalicelib.readings import Readings

log = logging.getLogger(__name__)

SWEEP = timedelta(minutes=10)  # a job that seems to hold nothing is looked at so often all the same
KEEP = timedelta(hours=1)  # rows of launches and workers that are over
_ROUNDS = 3  # of cancelling and looking again when a job is stopped


@dataclass(frozen=True)
class Tick:
    """One job at one moment. `marks` are EC2's words on any instances; `meter` and `metrics` are
    the run's.
    """

    context: Context
    job: Job
    ec2: Ec2
    setup: Ec2Setup
    readings: Readings
    meter: Meter
    metrics: Log
    marks: tuple[Mark, ...] = ()

    def run(self) -> bool:
        """Bring the job's fleet one step nearer to what it should be; whether the job is to be
        deleted and nothing of it is left.
        """
        self._drain_dead_letters()
        fleet = self.context.registry.fleet(self.job.name)
        if fleet and self._asleep(fleet):
            return False
        before = fleet = fleet or self._unseen
        total = Report()
        for _ in range(_ROUNDS):
            fleet, decided, report = self._round(fleet)
            total += report
            if not decided.look_again:
                break
        numbers = books.numbers(self.job, before, fleet, total, self.readings, now=self._now)
        self.metrics.tell(numbers, now=self._now)
        self._forget_what_is_over(fleet)
        return decided.finished and self.job.deleting

    def preview(self) -> Plan:
        """What `run` would do now. Reads, and changes nothing."""
        fleet = self.context.registry.fleet(self.job.name) or self._unseen
        return planning.plan(self._assessor.assess(fleet).situation)

    def _round(self, fleet: Fleet) -> tuple[Fleet, Plan, Report]:
        found = self._assessor.assess(fleet)
        fleet, situation = found.fleet, found.situation
        if situation.empty and untold_objects.look(self.context, self.job):
            fleet = msgspec.structs.replace(fleet, empty=Streak())
            situation = dataclasses.replace(situation, empty=False)
        decided = planning.plan(situation)
        if self._assessor.proven(fleet.lost):
            lost_tasks.send_anew(self.context, self.job)
        fleet = self.context.registry.put_fleet(
            remembering.seen(fleet, found.holdings, decided, job_version=self.job.version)
        )
        self._close_trials(found.holdings)
        self._tell_workers(decided)
        executor = Executor(
            self.context,
            self.job,
            self.ec2,
            self.setup,
            self.meter,
            self._now,
            held=fleet.held,
        )
        misgiven = found.holdings.misgiven
        if misgiven:
            log.error("job %s: on-demand given for spot: %s", self.job.name, " ".join(misgiven))
        report = dataclasses.replace(executor.carry_out(decided), misgiven=misgiven)
        return self._after(fleet, decided, report), decided, report

    @cached_property
    def _now(self) -> datetime:
        return self.context.now()

    @cached_property
    def _assessor(self) -> Assessor:
        return Assessor(
            self.context,
            self.job,
            self.ec2,
            self.setup,
            self.readings,
            self.meter,
            self.marks,
            self._now,
        )

    @property
    def _unseen(self) -> Fleet:
        return Fleet(job=self.job.name, observed=self._now)

    def _drain_dead_letters(self) -> None:
        if not self.job.dead_letter_url or self.job.deleting:
            return
        try:
            gone = dead_letters.drain(self.context, self.job)
        except CALL_FAILED as error:
            # Their tasks stay open in the ledger, so the job cannot count as empty meanwhile.
            log.warning("dead letters of job %s could not be drained: %s", self.job.name, error)
            return
        if gone:
            log.warning("%d dead letters of job %s were drained", gone, self.job.name)

    def _asleep(self, fleet: Fleet) -> bool:
        """Whether all was seen to be over, and nothing has happened since."""
        proven = self._assessor.proven(fleet.empty, at=fleet.observed)
        over = self.job.stopped or (proven and self.readings.demand == 0)
        return (
            over
            and not self.job.deleting
            and fleet.job_version == self.job.version
            and not (fleet.instances or fleet.requests or fleet.untold)
            and abs(self._now - fleet.observed) < SWEEP
            and not any(
                not each.resolved or abs(self._now - each.asked) < UNSEEN
                for each in self.context.registry.intents(self.job.name)
            )
        )

    def _close_trials(self, holdings: Holdings) -> None:
        for verdict in trials.verdicts(holdings):
            self.context.registry.put_intent(msgspec.structs.replace(verdict.intent, judged=True))

    def _tell_workers(self, decided: Plan) -> None:
        """Workers read in the job's row whether they may take tasks."""
        if self.job.hold != decided.hold:
            self.context.registry.change_job(
                self.job.name, lambda job: msgspec.structs.replace(job, hold=decided.hold)
            )

    def _after(self, fleet: Fleet, decided: Plan, report: Report) -> Fleet:
        """The fleet's row with what came of the plan; wishes that it carried out are dropped."""
        if decided.granted and not report.obstacle:
            self.context.registry.change_job(
                self.job.name, lambda job: _without_wishes(job, decided.granted)
            )
        refused = report.obstacle or report.spot.refusals or report.on_demand.refusals
        changed = remembering.carried_out(
            fleet,
            report,
            configuration=self._assessor.configuration if refused else "",
            now=self._now,
        )
        facts = books.facts(
            self.job, changed, decided, self.readings, empty=self._assessor.proven(fleet.empty)
        )
        changed = announced(self.context, self.job, changed, facts)
        return self.context.registry.put_fleet(changed) if changed != fleet else fleet

    def _forget_what_is_over(self, fleet: Fleet) -> None:
        registry = self.context.registry
        for intent in registry.intents(self.job.name):
            if intent.resolved and self._now - intent.created > KEEP:
                registry.remove_intent(intent)
        there = {each.id for each in fleet.instances}
        for beat in registry.beats(self.job.name):
            if beat.instance not in there and self._now - beat.seen > KEEP:
                registry.remove_beat(beat)


def _without_wishes(job: Job, granted: tuple[str, ...]) -> Job:
    kept = tuple(wish for wish in job.wishes if wish.id not in granted)
    return msgspec.structs.replace(job, wishes=kept)
