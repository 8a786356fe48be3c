"""Medians of several rounds, as a table and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.measuring import Figures

_COLUMNS = {
    "filesPerSecond": "files/s",
    "megabytesPerSecond": "MB/s",
    "cpuMsPerFile": "CPU ms/file",
    "cpuSecondsPerGib": "CPU s/GiB",
    "commandCpuMsPerFile": "command",
    "serverCpuMsPerFile": "server",
    "ledgerServerCpuMsPerFile": "ledger srv",
    "peakMemoryMib": "peak MiB",
    "startSeconds": "start s",
    "startCpuSeconds": "start CPU s",
    "sqsCallsPerFile": "SQS",
    "s3GetsPerFile": "GET",
    "s3PutsPerFile": "PUT",
    "ledgerWritesPerFile": "ledger",
}


def medians(rounds: Sequence[Figures]) -> dict[str, float | None]:
    """Of each figure."""
    runs = [msgspec.to_builtins(figures) for figures in rounds]
    return {name: _median([run[name] for run in runs]) for name in runs[0]}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None


def spread(rounds: Sequence[Figures]) -> float:
    """The largest over the smallest rate: how noisy the machine was."""
    rates = [figures.files_per_second for figures in rounds]
    return round(max(rates) / min(rates), 2)


def table(title: str, rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """One work's contenders, a line each."""
    width = max(len(name) for name in [*rows, title])
    lines = [f"{title:{width}}  " + "  ".join(f"{head:>11}" for head in _COLUMNS.values())]
    for name, row in rows.items():
        cells = "  ".join(f"{_cell(row.get(column)):>11}" for column in _COLUMNS)
        lines.append(f"{name:{width}}  {cells}")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
