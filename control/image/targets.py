"""The machines that an image is made for."""

from __future__ import annotations

from dataclasses import dataclass

from image.saying import ImageFailed

# The Python that each Debian release has.
_PYTHONS = {"12": "3.11", "13": "3.13"}
# The glibc that each has, as its second number: wheels for an older one run on it too.
_GLIBC_MINORS = {"12": 36, "13": 41}
_OLDEST_GLIBC_MINOR = 17  # manylinux2014, the oldest that is still built for
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # Debian's name: the kernel's and wheels'

EC2_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}  # Debian's name: EC2's
RELEASES = tuple(_PYTHONS)
ARCHITECTURES = tuple(_MACHINES)
DEFAULT_RELEASE = "13"
DEFAULT_ARCHITECTURE = "amd64"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Debian release and an architecture, in Debian's words."""

    release: str
    arch: str

    def __post_init__(self) -> None:
        if self.release not in _PYTHONS:
            raise ImageFailed(f"release {self.release!r}: it has to be {_either(RELEASES)}")
        if self.arch not in _MACHINES:
            raise ImageFailed(f"architecture {self.arch!r}: it has to be {_either(ARCHITECTURES)}")

    @property
    def name(self) -> str:
        """Such as `debian-13-amd64`."""
        return f"debian-{self.release}-{self.arch}"

    @property
    def python(self) -> str:
        """The version of its Python, such as `3.13`."""
        return _PYTHONS[self.release]

    @property
    def wheel_platforms(self) -> tuple[str, ...]:
        """The platform tags of the wheels that it can install, newest first."""
        machine = _MACHINES[self.arch]
        minors = range(_GLIBC_MINORS[self.release], _OLDEST_GLIBC_MINOR - 1, -1)
        return (*(f"manylinux_2_{minor}_{machine}" for minor in minors), f"manylinux2014_{machine}")


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
