"""One job's turn in a run of reconcile: read, plan, write, carry out."""

from __future__ import annotations

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
    doubt,
    emptiness,
    lost_tasks,
    pace,
    planning,
    remembering,
    templates,
    trials,
    untold_objects,
)
from chalicelib.actions import Plan
from chalicelib.announcing import announced
from chalicelib.context import Context
from chalicelib.execution import Executor, Report
from chalicelib.holdings import UNSEEN, Holdings
from chalicelib.metering import Meter
from chalicelib.metrics import Log
from chalicelib.observing import Sight, look
from chalicelib.planning import START_SECONDS_PER_TASK, Limits, Situation
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
        sight = look(self.ec2, self.job, stack=self.context.settings.stack)
        holdings = self._holdings(fleet, sight)
        _, decided = self._decide(fleet, holdings, sight)
        return decided

    def _round(self, fleet: Fleet) -> tuple[Fleet, Plan, Report]:
        sight = look(self.ec2, self.job, stack=self.context.settings.stack)
        holdings = self._holdings(fleet, sight)
        fleet, decided = self._decide(fleet, holdings, sight)
        if self._proven(fleet.empty) and untold_objects.look(self.context, self.job):
            fleet = msgspec.structs.replace(fleet, empty=Streak())
            decided = planning.plan(self._situation(fleet, holdings, sight))
        if self._proven(fleet.lost):
            lost_tasks.send_anew(self.context, self.job)
        fleet = self.context.registry.put_fleet(
            remembering.seen(fleet, holdings, decided, job_version=self.job.version)
        )
        self._close_trials(holdings)
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
        report = executor.carry_out(decided)
        return self._after(fleet, decided, report), decided, report

    def _decide(self, fleet: Fleet, holdings: Holdings, sight: Sight) -> tuple[Fleet, Plan]:
        """The row with this tick's readings, and the plan that follows from it."""
        fleet = self._with_books(fleet, holdings)
        fleet = self._with_trials(self._with_readings(fleet, holdings), holdings)
        fleet = remembering.without_stale_obstacles(
            fleet, configuration=self._configuration if fleet.backoff.configuration else ""
        )
        return fleet, planning.plan(self._situation(fleet, holdings, sight))

    @cached_property
    def _now(self) -> datetime:
        return self.context.now()

    @property
    def _unseen(self) -> Fleet:
        return Fleet(job=self.job.name, observed=self._now)

    @property
    def _ended(self) -> bool:
        return self.job.stopped or self.job.deleting

    @cached_property
    def _configuration(self) -> str:
        return templates.fingerprint(self.context, self.job)

    def _holdings(self, fleet: Fleet, sight: Sight) -> Holdings:
        ids = {each.id for each in sight.instances}
        return Holdings(
            now=self._now,
            instances=sight.instances,
            requests=sight.requests,
            intents=tuple(self.context.registry.intents(self.job.name)),
            beats=tuple(self.context.registry.beats(self.job.name)),
            marks=tuple(mark for mark in self.marks if mark.instance in ids),
            waiting_since=fleet.waiting,
        )

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
        proven = self._proven(fleet.empty, at=fleet.observed)
        over = self.job.stopped or (proven and self.readings.demand == 0)
        return (
            over
            and not self.job.deleting
            and fleet.job_version == self.job.version
            and not (fleet.instances or fleet.requests or fleet.untold)
            and self._now - fleet.observed < SWEEP
            and not any(
                not each.resolved or self._now - each.created < UNSEEN
                for each in self.context.registry.intents(self.job.name)
            )
        )

    def _proven(self, streak: Streak, *, at: datetime | None = None) -> bool:
        """Whether the readings up to then (now, unless told) proved it."""
        settings = self.context.settings
        return emptiness.is_proof(
            streak,
            readings=settings.empty_readings,
            seconds=settings.empty_span_seconds,
            now=at or self._now,
        )

    def _with_readings(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        """The streaks with this tick's reading."""
        suspects = remembering.suspected(fleet, holdings)
        if self._ended:
            return msgspec.structs.replace(fleet, empty=Streak(), lost=Streak(), suspects=suspects)
        reading = self.readings.take(holdings)
        seconds = fleet.seconds_per_task
        if reading.messages:
            seconds = pace.measured(self.context, self.job, known=seconds, now=self._now)
        return msgspec.structs.replace(
            fleet,
            empty=emptiness.after(fleet.empty, said=reading.empty, now=self._now),
            lost=emptiness.after(fleet.lost, said=reading.lost, now=self._now),
            contradicted=emptiness.after(
                fleet.contradicted, said=reading.contradicted, now=self._now
            ),
            suspects=suspects,
            seconds_per_task=seconds,
        )

    def _with_books(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        """What it cost so far, and when it last got on."""
        spending = self.meter.count(fleet.spending, holdings.instances, job=self.job)
        counted = msgspec.structs.replace(fleet, spending=spending)
        return books.with_progress(self.context, self.job, counted, self.readings, now=self._now)

    def _with_trials(self, fleet: Fleet, holdings: Holdings) -> Fleet:
        if self._ended:
            return fleet  # its instances were ended before they could show what they are worth
        told = trials.verdicts(holdings)
        asked = fleet.breaker.configuration or any(verdict.barren for verdict in told)
        return remembering.judged(
            fleet, told, configuration=self._configuration if asked else "", now=self._now
        )

    def _close_trials(self, holdings: Holdings) -> None:
        for verdict in trials.verdicts(holdings):
            self.context.registry.put_intent(msgspec.structs.replace(verdict.intent, judged=True))

    def _situation(self, fleet: Fleet, holdings: Holdings, sight: Sight) -> Situation:
        demand, trouble = self._demand(fleet, holdings)
        return Situation(
            holdings=holdings,
            limits=self._limits(fleet, demand),
            demand=demand,
            trouble=trouble,
            stopped=self.job.stopped,
            deleting=self.job.deleting,
            paused=self.job.paused,
            empty=self._proven(fleet.empty),
            stays=not self.job.parameters.should_shutdown,
            draining_since=fleet.draining_since,
            grace_seconds=self.context.settings.drain_seconds,
            wishes=self.job.wishes,
            backoff=fleet.backoff,
            on_demand_backoff=fleet.on_demand_backoff,
            breaker=fleet.breaker,
            held=fleet.held,
            condemned=remembering.condemned(fleet, now=self._now),
            untagged=sight.untagged,
            spent=fleet.spending.dollars,
        )

    def _demand(self, fleet: Fleet, holdings: Holdings) -> tuple[int | None, str]:
        """What to plan for, and what people are told of it where that is not what SQS says."""
        counted = None if self._ended else self.readings.demand
        if not counted:
            return counted, "" if self._ended else self.readings.trouble
        contradicted = self._proven(fleet.contradicted)
        demand = doubt.believed(counted, holdings.intents, contradicted=contradicted, now=self._now)
        return demand, doubt.sentence(counted) if contradicted else ""

    def _limits(self, fleet: Fleet, demand: int | None) -> Limits:
        parameters = self.job.parameters
        minutes = parameters.on_demand_after
        return Limits(
            max_instances=parameters.max_instances,
            drain_seconds=parameters.drain_seconds,
            slots=templates.slots(self.job, self.setup) if demand else 1,
            seconds_per_task=fleet.seconds_per_task or START_SECONDS_PER_TASK,
            budget=parameters.budget,
            on_demand_after=timedelta(minutes=minutes) if minutes else None,
        )

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
            configuration=self._configuration if refused else "",
            now=self._now,
        )
        facts = books.facts(
            self.job, changed, decided, self.readings, empty=self._proven(fleet.empty)
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
