"""Run the contenders in turn, round by round, and print what each cost: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from benchmarks.contenders import (
    BOTO3_LOOP,
    BULK,
    CELERY,
    PARALLEL,
    WITHOUT_LEDGER,
    WORKER,
    Contender,
)
from benchmarks.measuring import Failed, Figures, Watch
from benchmarks.servers import Fauxqs, Ministack, Roto
from benchmarks.sites import COPY, DOWN, HUGE, LARGE, NOTHING, Inputs, Site, Work

_SPARE = 2  # small files before the large ones, done by when the window opens
_LARGE_BYTES = 20 * LARGE.size  # of large files together


class Series(NamedTuple):
    """One work for several contenders. `suffix` keeps the names in the JSON apart."""

    work: Work
    suffix: str
    contenders: Sequence[Contender]


SERIES = (
    Series(COPY, "", (WORKER, WITHOUT_LEDGER, BOTO3_LOOP, CELERY, PARALLEL, BULK)),
    Series(NOTHING, ", no-op", (WORKER, WITHOUT_LEDGER, BOTO3_LOOP, CELERY)),
    Series(LARGE, ", 64 MiB", (WORKER, BOTO3_LOOP, BULK)),
    Series(DOWN, ", 64 MiB down", (WORKER,)),
    Series(HUGE, ", 1 GiB", (WORKER, BULK)),
)


class Options(NamedTuple):
    """What the command line says."""

    rounds: int
    scale: float
    slots: int
    out: Path
    only: str


def main() -> int:
    """The exit code: 1 if a contender that is there did not do its work."""
    options = _options()
    print(
        f"{os.cpu_count()} CPUs, {platform.processor() or platform.machine()}, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f}; {options.slots} programs at "
        f"once; medians of {options.rounds} rounds. CPU figures and ratios are to be trusted more "
        "than rates: whatever else runs here slows them all."
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, object]] = []
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        # A worker that is root runs programs as another user, who has to come by here.
        Path(folder).chmod(0o711)
        ministack = Ministack(Path(folder))
        try:
            for series in SERIES:
                failed |= _series(series, options, Path(folder), ministack, found)
        finally:
            ministack.close()
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\nwritten to {options.out}")
    return int(failed)


def _series(
    series: Series,
    options: Options,
    folder: Path,
    ministack: Ministack,
    found: list[dict[str, object]],
) -> bool:
    contenders = [each for each in series.contenders if _is_there(each, options.only)]
    runs: dict[str, list[Figures]] = {each.name: [] for each in contenders}
    failed = False
    for _ in range(options.rounds if contenders else 0):
        # A fresh server each round: none gets an older heap than another.
        server = Roto(folder) if series.work.is_large else Fauxqs(folder)
        try:
            failed |= _round(series, contenders, options, folder, ministack, server, runs)
        finally:
            server.close()
    rows = {name: report.medians(some) for name, some in runs.items() if some}
    if rows:
        print("\n" + report.table(series.work.title, rows))
    for name, row in rows.items():
        named = {"name": name + series.suffix, "work": series.work.title}
        found.append({**named, **row, "rateSpread": report.spread(runs[name])})
    return failed


def _round(
    series: Series,
    contenders: Sequence[Contender],
    options: Options,
    folder: Path,
    ministack: Ministack,
    server: Fauxqs | Roto,
    runs: dict[str, list[Figures]],
) -> bool:
    large, size = series.work.is_large, series.work.size
    counts = {
        each.name: _LARGE_BYTES // size if large else max(20, int(each.files * options.scale))
        for each in contenders
    }
    spare = _SPARE if large else 0
    inputs = Inputs(server, series.work, files=max(counts.values()), spare=spare)
    failed = False
    for each in contenders:
        files = counts[each.name] + spare
        site = Site(
            inputs,
            series.work,
            files=files,
            slots=options.slots,
            folder=folder,
            ledger=ministack if each.has_ledger else None,
        )
        try:
            watch = Watch(each, site, opens=spare or max(1, files // 10))
            runs[each.name].append(watch.run())
        except Failed as error:
            print(f"!! {each.name}, {series.work.title}: {error}", flush=True)
            failed = True
        finally:
            site.clear()
    return failed


def _is_there(contender: Contender, only: str) -> bool:
    if only and only not in contender.name:
        return False
    if lacks := contender.missing():
        print(f"!! {contender.name}: NOT THERE, it needs {lacks}")
        return False
    return True


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of small files")
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--only", default="", help="contenders whose names contain this")
    return Options(**vars(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
