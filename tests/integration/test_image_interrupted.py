"""`make ami`, broken off: what becomes of Packer, of what it started, and of what is made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import images
from deploy.commands import Interrupted
from image import making, publishing
from image.saying import ImageFailed
from waiting import until


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with images.account(monkeypatch, tmp_path):
        yield


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return images.workplace(monkeypatch, tmp_path)


BUILDS_FOR_LONG = """\
import signal, time
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))
(here / "builder").touch()
while not asked:
    time.sleep(0.01)  # until it is asked to end
time.sleep(0.5)  # it takes this long to remove its builder, and must be let
assert asked == [1], asked
(here / "builder").unlink()
(here / "cleaned").touch()
sys.exit(1)
"""


def test_ctrl_c_gives_packer_the_time_to_remove_what_it_started(here: Path, tmp_path: Path) -> None:
    images.packer(here, build=BUILDS_FOR_LONG)
    script = tmp_path / "script.py"
    script.write_text(
        "from image.packer import Packer\n"
        "from deploy.commands import Interrupted\n"
        "from pathlib import Path\n"
        f"packer = Packer(program={str(here / 'packer')!r}, version=(1, 14))\n"
        "try:\n"
        "    packer.build(Path('t'), [], say=print)\n"
        "except Interrupted as error:\n"
        "    print('told', error)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until((here / "builder").exists, seconds=60, what="Packer builds")
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells all that run in it
    os.killpg(process.pid, signal.SIGTERM)  # an impatient second one does not reach Packer
    told, _ = process.communicate(timeout=60)
    assert (here / "cleaned").exists()
    assert "told interrupted; Packer has ended what it had started" in told


def test_ctrl_c_when_packer_is_done_already_names_the_image_that_it_made(here: Path) -> None:
    made = images.image("new")
    too_late = "\nimport signal\nos.kill(os.getppid(), signal.SIGINT)"
    ignores = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    images.packer(here, build=ignores + images.writes_manifest({images.REGION: made}) + too_late)
    with pytest.raises(Interrupted, match=rf"{made} .*make ami MANIFEST="):
        making.make(images.order(), say=print)
    assert images.ssm().describe_parameters()["Parameters"] == []


def test_a_packer_that_was_killed_is_not_said_to_have_cleaned_up(here: Path) -> None:
    images.packer(here, build="os.kill(os.getpid(), 9)")
    with pytest.raises(ImageFailed, match=r"killed by SIGKILL.* parallelizer:image = builder"):
        making.make(images.order(), say=print)


def test_ctrl_c_between_build_and_publishing_says_how_to_go_on(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = images.image("new")
    images.packer(here, build=images.writes_manifest({images.REGION: made}))

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "publish", interrupted)
    expected = rf"{made} .*make ami MANIFEST=build/ami/debian-13-amd64/manifest\.json"
    with pytest.raises(Interrupted, match=expected):
        making.make(images.order(), say=print)
