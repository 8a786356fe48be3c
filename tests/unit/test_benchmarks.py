"""What the benchmark counts with; the run itself is `make bench`."""

from __future__ import annotations

from benchmarks import report, usage
from benchmarks.measuring import Figures
from benchmarks.servers import Calls


def figures(rate: float, *, peak: float | None = None) -> Figures:
    return Figures(
        files=10,
        files_per_second=rate,
        megabytes_per_second=0.1,
        cpu_ms_per_file=2.0,
        command_cpu_ms_per_file=1.0,
        server_cpu_ms_per_file=0.5,
        ledger_server_cpu_ms_per_file=None,
        peak_memory_mib=peak,
    )


def test_cpu_is_read_behind_a_name_with_spaces_and_brackets() -> None:
    fields = " ".join(str(number) for number in range(4, 53))
    assert usage.parse(f"7 (a) b (c) S {fields}") == usage.Usage(own=290.0, children=330.0)


def test_children_that_were_waited_for_are_told_apart() -> None:
    before, after = usage.Usage(10, 20), usage.Usage(15, 40)
    assert after - before == usage.Usage(5, 20)


def test_the_median_of_the_rounds_counts_and_what_does_not_apply_stays_out() -> None:
    found = report.medians([figures(10, peak=7), figures(30), figures(11)])
    assert found["filesPerSecond"] == 11
    assert found["peakMemoryMib"] == 7
    assert found["ledgerServerCpuMsPerFile"] is None
    assert report.spread([figures(10), figures(30), figures(11)]) == 3


def test_calls_are_counted_from_one_look_to_the_next() -> None:
    after = Calls({"SQS ReceiveMessage": 5, "S3 GET in": 3})
    assert after.since(Calls({"S3 GET in": 3})) == {"SQS ReceiveMessage": 5}


def test_the_table_has_a_line_for_each_contender() -> None:
    lines = report.table("work", {"worker": report.medians([figures(1234)])}).splitlines()
    assert [line.split()[0] for line in lines] == ["work", "worker"]
    assert "1,234" in lines[1]
