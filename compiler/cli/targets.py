"""`scanlet targets`."""

from __future__ import annotations

from dataclasses import asdict

from scanlet.cli.documents import print_json
from scanlet.cli.options import Json
from scanlet.targets import ALL


def targets(as_json: Json = False) -> None:
    """List the boards and cores that can be compiled for."""
    if as_json:
        print_json({name: asdict(target) for name, target in ALL.items()})
        return
    from scanlet.cli.tables import print_targets

    print_targets()
