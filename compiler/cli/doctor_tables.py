"""What `scanlet doctor` prints for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanlet.execution.diagnosis import OK, Finding

_STYLES = {"ok": "green", "missing": "yellow", "broken": "bold red"}
#: Headings, and the kinds of finding below them; required ones have one of their own.
_GROUPS = {
    "Optional: Python packages": ("package",),
    "Optional: programs": ("program",),
    "Ready to run on": ("core", "host"),
}


def print_findings(findings: Sequence[Finding], *, checked: bool) -> None:
    """A table a group, then the lines that get what is not there."""
    console = Console()
    optional = [one for one in findings if not one.required]
    groups = {"Required": [one for one in findings if one.required]}
    for heading, kinds in _GROUPS.items():
        groups[heading] = [one for one in optional if one.kind in kinds]
    for heading, rows in groups.items():
        if rows:
            console.print(_table(heading, rows))
    for line in _install_lines(findings):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not checked and findings:
        console.print("`scanlet doctor --check` also tries whether it works.", highlight=False)


def _table(heading: str, rows: Sequence[Finding]) -> Table:
    table = Table("name", "", "version", "for", title=heading, title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    table.columns[1].no_wrap = True
    for one in rows:
        about = f"{one.problem}; for {one.purpose}" if one.problem else one.purpose
        state = f"{one.state}, tried" if one.tried and one.state == OK else one.state
        table.add_row(
            Text(one.name), Text(state, _STYLES[one.state]), Text(one.version or ""), Text(about)
        )
    return table


def _install_lines(findings: Sequence[Finding]) -> list[str]:
    """Commands, the packages of all that a package manager brings in one; then the rest."""
    lines = list(dict.fromkeys(line for one in findings for line in one.install))
    result = []
    for manager in ("apt-get install ", "pip install "):
        ours = [line.removeprefix(manager) for line in lines if line.startswith(manager)]
        words = [word for line in ours for word in line.split()]
        if words:
            result.append(f"  {manager}{' '.join(dict.fromkeys(words))}")
    rest = [f"  {line}" for line in lines if not line.startswith(("apt-get ", "pip "))]
    return ["To get what is not there:", *result, *rest] if lines else []
