"""One contender's run, watched from outside."""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

import msgspec

from benchmarks import usage
from benchmarks.contenders import Contender, Started
from benchmarks.servers import Calls, Fauxqs
from benchmarks.sites import Site
from benchmarks.usage import Usage

_LONGEST_SECONDS = 600
_LOOK_SECONDS = 0.05  # a look costs CPU that the contenders share


class Look(NamedTuple):
    """What there is to see at one moment, CPU in milliseconds."""

    at: float
    done: int
    cpu: Usage
    server: float
    ledger: float | None
    calls: Calls


class Figures(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One run. None = does not apply.

    `cpu` is the contender's own, `command_cpu` the programs' that it ran; a contender that is a
    tree of processes has both in the first, and in the CPU a GiB of inputs. Start is from the
    process's to the first file's end.
    """

    files: int
    files_per_second: float
    megabytes_per_second: float
    cpu_ms_per_file: float
    command_cpu_ms_per_file: float | None
    server_cpu_ms_per_file: float
    ledger_server_cpu_ms_per_file: float | None
    cpu_seconds_per_gib: float | None = None
    peak_memory_mib: float | None = None
    start_seconds: float | None = None
    start_cpu_seconds: float | None = None
    sqs_calls_per_file: float | None = None
    s3_gets_per_file: float | None = None
    s3_puts_per_file: float | None = None
    ledger_writes_per_file: float | None = None


class Failed(Exception):
    """The contender did not do its work."""


class Watch:
    """Looks at one contender and its servers."""

    def __init__(self, contender: Contender, site: Site, *, opens: int) -> None:
        self._contender, self._site, self._opens = contender, site, opens
        self._server = site.inputs.server
        self._files = len(site.keys)

    def run(self) -> Figures:
        """Let it work; measured from when `opens` files are done to when all are."""
        before, started, clock = self._calls(), self._contender.start(self._site), time.time()
        try:
            if self._contender.whole:
                return self._whole(started, before, clock)
            return self._window(started, before, clock)
        finally:
            started.process.kill()
            started.process.wait()
            started.close()

    def _whole(self, started: Started, before: Calls, clock: float) -> Figures:
        server = self._server.cpu_ms()
        os.waitid(os.P_PID, started.process.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.time() - clock
        used = usage.of(started.process.pid)
        self._require_all()
        return Figures(
            files=self._files,
            files_per_second=self._files / seconds,
            megabytes_per_second=sum(self._site.sizes) / seconds / 1e6,
            cpu_ms_per_file=(used.own + used.children) / self._files,
            command_cpu_ms_per_file=None,
            server_cpu_ms_per_file=(self._server.cpu_ms() - server) / self._files,
            ledger_server_cpu_ms_per_file=None,
            cpu_seconds_per_gib=self._per_gib(used.own + used.children, self._files),
            **self._per_file(self._calls().since(before)),
        )

    def _window(self, started: Started, before: Calls, clock: float) -> Figures:
        first = self._until(1, started, before)
        began = self._until(self._opens, started, before)
        ended = self._until(self._files, started, before)
        self._require_all()
        files, seconds = ended.done - began.done, ended.at - began.at
        used = ended.cpu - began.cpu
        ledger = None
        if began.ledger is not None and ended.ledger is not None:
            ledger = (ended.ledger - began.ledger) / files
        return Figures(
            files=files,
            files_per_second=files / seconds,
            megabytes_per_second=sum(self._site.sizes[-files:]) / seconds / 1e6,
            cpu_ms_per_file=used.own / files,
            command_cpu_ms_per_file=used.children / files,
            server_cpu_ms_per_file=(ended.server - began.server) / files,
            ledger_server_cpu_ms_per_file=ledger,
            cpu_seconds_per_gib=self._per_gib(used.own, files),
            peak_memory_mib=usage.peak_mib(started.process.pid),
            start_seconds=first.at - clock,
            start_cpu_seconds=first.cpu.own / 1000,
            ledger_writes_per_file=started.writes_per_file() if self._site.ledger_server else None,
            **self._per_file(ended.calls.since(before)),
            sqs_calls_per_file=_sqs_calls(ended.calls.since(began.calls), files),
        )

    def _until(self, done: int, started: Started, before: Calls) -> Look:
        deadline = time.monotonic() + _LONGEST_SECONDS
        while time.monotonic() < deadline:
            if started.process.poll() is not None:
                raise Failed(f"it ended with {started.process.returncode}: {self._console()}")
            look = self._look(started.process.pid, before)
            if look.done >= done:
                return look
            time.sleep(_LOOK_SECONDS)
        raise Failed(f"{done} files were not done in {_LONGEST_SECONDS} s: {self._console()}")

    def _look(self, pid: int, before: Calls) -> Look:
        calls = self._calls()
        done = calls.since(before).get("messages deleted", 0)
        if not isinstance(self._server, Fauxqs):
            done = self._site.outputs()
        ledger = self._site.ledger_server
        return Look(
            time.time(),
            done,
            usage.of(pid),
            self._server.cpu_ms(),
            ledger.cpu_ms() if ledger else None,
            calls,
        )

    def _calls(self) -> Calls:
        return self._server.calls() if isinstance(self._server, Fauxqs) else Calls({})

    def _per_gib(self, cpu_ms: float, files: int) -> float | None:
        if not self._site.work.is_large:
            return None
        return cpu_ms / 1000 * 2**30 / sum(self._site.sizes[-files:])

    def _per_file(self, calls: dict[str, int]) -> dict[str, float]:
        gets = sum(calls.get(f"S3 {how} {self._site.inputs.bucket}", 0) for how in ("GET", "HEAD"))
        puts = calls.get(f"S3 PUT {self._site.out}", 0)
        if not gets:
            return {}  # this server does not count
        return {"s3_gets_per_file": gets / self._files, "s3_puts_per_file": puts / self._files}

    def _require_all(self) -> None:
        if not self._site.work.makes_output:
            return
        there = self._site.outputs()
        if there != self._files:
            raise Failed(f"{there} of {self._files} outputs are there: {self._console()}")

    def _console(self) -> str:
        with contextlib.suppress(OSError):
            return (self._site.folder / "console").read_text(errors="replace")[-1500:]
        return ""


def _sqs_calls(calls: dict[str, int], files: int) -> float | None:
    asked = sum(count for name, count in calls.items() if name.startswith("SQS "))
    return asked / files if asked else None
