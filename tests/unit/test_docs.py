"""The documentation says what the code does: tables, commands, targets, routes, links."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
import typer

from aws_parallelizer.cli.main import app
from aws_parallelizer.core.outcome import Outcome
from aws_parallelizer.worker.metrics import Span
from aws_parallelizer.worker.metrics import line as worker_line
from chalicelib import status
from chalicelib.metrics import JobNumbers, job_line, run_line
from chalicelib.refusals import Class
from desks import Desk

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
COMMANDS = typer.main.get_command(app)


def code_lines(text: str) -> list[str]:
    """The lines of indented blocks, without a comment at their end."""
    lines = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    return [re.sub(r"\s+# .*", "", line) for line in lines]


def all_code_lines() -> list[str]:
    return [line for page in PAGES for line in code_lines(page.read_text())]


def lines_that_begin_with(program: str) -> list[str]:
    return [line for line in all_code_lines() if line.split()[0] == program]


def parse(line: str) -> None:
    """Parse a command line as typer does, and run nothing; raises for what typer refuses."""
    _, name, *arguments = shlex.split(line)
    group = typer.Context(COMMANDS)
    command = COMMANDS.get_command(group, name)  # type: ignore[attr-defined]
    assert command, f"{name} is no command"
    command.make_context(name, arguments, parent=group)


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the documents speak of."""
    shutil.copytree(DOCS, tmp_path / "docs")
    (tmp_path / "docs" / "examples" / "thumbnails" / "environment.zip").touch()
    (tmp_path / "my-env").mkdir()
    for name in ("photos.txt", "parameters.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tables() -> ModuleType:
    found = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["parameters.md", "outcomes.md", "permissions.md"])
def test_a_table_says_what_the_code_says(name: str) -> None:
    text, module = (DOCS / name).read_text(), tables()
    written = module.filled(text, module.TABLES[name]())
    assert written == text, "run: python docs/tables.py"
    assert len(re.findall(r"^\| `", written, re.MULTILINE)) >= 10


def test_every_documented_command_is_one_that_the_program_takes(user_folder: Path) -> None:
    lines = lines_that_begin_with("aws-parallelizer")
    assert len(lines) > 20
    for line in lines:
        parse(line)


def test_a_command_that_the_program_does_not_take_is_seen() -> None:
    for wrong in ("aws-parallelizer nonsense", "aws-parallelizer start j --number 3"):
        with pytest.raises(Exception, match=r"no command|[Nn]o such option"):
            parse(wrong)


def test_every_command_is_documented_and_has_an_example_that_it_takes(user_folder: Path) -> None:
    documented = re.findall(
        r"^\| `([a-z]+)` \|", (DOCS / "command-line.md").read_text(), re.MULTILINE
    )
    commands = COMMANDS.commands  # type: ignore[attr-defined]
    assert documented == list(commands)
    for name, command in commands.items():
        example = re.search(r"Example: (aws-parallelizer .*)", command.help)
        assert example, name
        assert shlex.split(example[1])[1] == name
        parse(example[1])


def test_every_documented_command_name_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"`aws-parallelizer ([a-z]+)", page.read_text()):
            assert name in COMMANDS.commands, f"{page.name}: {name}"  # type: ignore[attr-defined]


def test_every_documented_make_target_exists_with_its_variables() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    lines = lines_that_begin_with("make")
    assert len(lines) >= 5
    for line in lines:
        _, target, *variables = shlex.split(line)
        assert target in targets, line
        for variable in variables:
            assert f"$({variable.partition('=')[0]})" in makefile or (
                f"$(or $({variable.partition('=')[0]})" in makefile
            ), line


def test_the_two_commands_stand_first_in_the_readme() -> None:
    first, second, *_ = code_lines((REPOSITORY / "README.md").read_text())
    assert (first, second) == ("make demo", "make test")


def test_the_documented_routes_are_the_apps_routes() -> None:
    source = (REPOSITORY / "control" / "app.py").read_text()
    routes = set(re.findall(r'@_route\(\s*"([A-Z]+)", "([^"]+)"', source))
    told = re.findall(r"^\| `([A-Z]+) ([^`]+)`", (DOCS / "http-api.md").read_text(), re.MULTILINE)
    assert routes == set(told)
    assert len(routes) >= 10


def test_every_link_leads_to_a_file_that_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_documented_status_fields_are_those_that_are_told() -> None:
    desk = Desk()
    found = status.full(desk.context, desk.make())
    text = (DOCS / "http-api.md").read_text()
    rows = re.findall(r"^\| (`[a-z]\w+`(?:, `\w+`)*) \|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(found)


def documented_metrics(page: str) -> set[str]:
    rows = re.findall(r"^\| (`[A-Z]\w+`(?:, `\w+`)*) \|", (DOCS / page).read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_the_documented_metrics_of_a_worker_are_those_that_are_said() -> None:
    span = Span(outcomes=Counter(Outcome), refused=1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    of = {"Stack": "s", "Job": "j"}
    said = worker_line(span, of, seconds=1, running=0, slots=1, now=now)
    assert documented_metrics("worker.md") == set(said) - {"_aws", *of}


def test_the_documented_metrics_are_those_that_are_said() -> None:
    refused = {kind.value: 1 for kind in Class}
    numbers = JobNumbers(job="j", queued=1, in_flight=1, spent=1.0, refused=refused, misgiven=1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    lines = (job_line(numbers, stack="s", now=now), run_line(stack="s", now=now, jobs=[numbers]))
    said = {name for line in lines for name in line} - {"_aws", "Stack", "Job"}
    assert documented_metrics("money.md") == said
