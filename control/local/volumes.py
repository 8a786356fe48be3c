"""The root volume of a machine: layers that many share, and one on top that is its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

UPPER = "upper"


class Volume:
    """In `folder`, where it is found again when the machine starts again. The layers are topmost
    first; what the machine writes is in its overlay's upper/ (overlays.py).
    """

    def __init__(self, folder: Path, layers: Sequence[Path] = ()) -> None:
        self.folder = folder
        self._list = folder / "layers"
        if not self._list.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._write(layers)

    @property
    def layers(self) -> list[Path]:
        """The shared ones."""
        return [Path(line) for line in self._list.read_text().splitlines()]

    def snapshot(self, target: Path) -> list[Path]:
        """What the machine wrote becomes the layer `target`, on which it goes on; the layers of
        the whole. The machine must be down. Raises OSError.
        """
        (self.folder / UPPER).mkdir(exist_ok=True)
        # mv, because it keeps overlayfs's marks, for which Python has no words, on any file system.
        command = ["mv", "--no-target-directory", str(self.folder / UPPER), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"no snapshot of {self.folder}: {done.stderr.strip()}")
        layers = [target, *self.layers]
        self._write(layers)
        return layers

    def wipe(self) -> None:
        """Delete what is its own."""
        for name in (UPPER, "work", "root"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._list.unlink(missing_ok=True)

    def _write(self, layers: Sequence[Path]) -> None:
        self._list.write_text("".join(f"{layer}\n" for layer in layers))
