"""Statistics of one text file: `stats.py FILE` writes FILE.json here and prints its name."""

import collections
import json
import pathlib
import re
import sys

TOP = 10
WORD = re.compile(r"\w+")


def statistics(path: pathlib.Path) -> dict[str, object]:
    """Counts of a file, line by line; bytes that are no UTF-8 are counted and otherwise skipped."""
    lines = size = 0
    words: collections.Counter[str] = collections.Counter()
    with path.open("rb") as file:
        for line in file:
            lines += 1
            size += len(line)
            words.update(WORD.findall(line.decode(errors="ignore").lower()))
    return {
        "file": path.name,
        "bytes": size,
        "lines": lines,
        "words": words.total(),
        "differentWords": len(words),
        "topWords": dict(words.most_common(TOP)),
    }


def main() -> None:
    """Write the statistics beside the program, and tell the worker so."""
    path = pathlib.Path(sys.argv[1])
    # A line of output names a file: a name that has line ends itself could not be told.
    name = "".join(c if c.isprintable() else "_" for c in path.name)
    output = pathlib.Path(f"{name}.json")
    output.write_text(json.dumps(statistics(path), indent=2, ensure_ascii=False) + "\n")
    print(output)


if __name__ == "__main__":
    main()
