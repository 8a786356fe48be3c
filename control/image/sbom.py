"""The image's parts as a CycloneDX bill of materials: the wheels, and Debian's packages.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from image import sources
from image.targets import Target
from image.wheelhouse import OWN, Wheel

NAME = "sbom.cdx.json"
PACKAGES = "manifest.json.packages"  # what dpkg said on the builder: name, version, architecture
_NAMESPACE = uuid.UUID("5b9c0c5e-6f0e-5a54-9a4e-3d2a4c8f9d10")


def write(folder: Path, *, target: Target, wheels: Iterable[Wheel]) -> Path:
    """Write it beside the manifest, of the wheels and of what the builder listed; its path."""
    listed = folder / PACKAGES
    packages = listed.read_text() if listed.exists() else ""
    path = folder / NAME
    path.write_text(bill(target=target, wheels=wheels, packages=packages))
    return path


def bill(*, target: Target, wheels: Iterable[Wheel], packages: str) -> str:
    """The document; `packages` has a line for each of Debian's, with tabs between. The same parts
    make the same document, to the byte.
    """
    components = [
        *(_python(wheel) for wheel in sorted(wheels)),
        *(_debian(*line.split("\t"), target=target) for line in _lines(packages)),
    ]
    body = json.dumps(components)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, body)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "bom-ref": f"image-{target.name}",
                "name": f"{OWN} image on {target.name}",
                "version": sources.version(),
            }
        },
        "components": components,
    }
    return json.dumps(document, indent=2) + "\n"


def _lines(packages: str) -> Iterator[str]:
    return (line for line in sorted(packages.splitlines()) if line.strip())


def _python(wheel: Wheel) -> dict[str, object]:
    purl = f"pkg:pypi/{quote(wheel.name)}@{quote(wheel.version)}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": wheel.name,
        "version": wheel.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
    }


def _debian(name: str, version: str, arch: str, *, target: Target) -> dict[str, object]:
    where = f"arch={arch}&distro=debian-{target.release}"
    purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?{where}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
