"""`python -m image.audit TREE` or `--disk FILE`: what is in an image that must not be.

Writes a line of JSON for each finding, those that are allowed with the reason, and at last a
summary. 0 = nothing that is not allowed, 1 = something, 2 = not all could be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from image.audit import disk, tree
from image.audit.findings import Report

CLEAN, FOUND, NOT_READ = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="image.audit", description=__doc__)
    parser.add_argument("place", type=Path, help="a folder with the image's files, or a raw disk")
    parser.add_argument("--disk", action="store_true", help="the place is a raw disk")
    options = parser.parse_args(arguments)
    return run(options.place, raw=options.disk)


def run(place: Path, *, raw: bool) -> int:
    """Audit, print, and judge."""
    try:
        report = disk.audit(place) if raw else tree.audit(place)
    except OSError as error:
        print(f"audit: {error.filename or place}: {error.strerror}", file=sys.stderr)
        return NOT_READ
    for line in lines(report):
        print(line)
    if report.refused:
        return FOUND
    return NOT_READ if any(not each.away for each in report.unread) else CLEAN


def lines(report: Report) -> list[str]:
    """The report as lines of JSON."""
    summary = {
        "files": report.files,
        "bytes": report.bytes,
        "findings": len(report.refused),
        "allowed": len(report.findings) - len(report.refused),
        "unread": [asdict(each) for each in report.unread],
    }
    told = [*(finding.told() for finding in report.findings), {"summary": summary}]
    return [json.dumps(each) for each in told]


if __name__ == "__main__":
    sys.exit(main())
