"""`tracker doctor` as typed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

# Where nobody looks, lines are cut by no window.
PLAIN_WIDTH = 160


def doctor(
    group: Annotated[str | None, typer.Option(help="Only this group of facts, such as 'data pipeline' [all].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a list of findings.")] = False,
) -> None:
    """Say what holds and what does not, and what to do; exit code 1 where something does not, 2 without a database."""
    import orjson
    from tracker.domain.clock import SystemClock
    from tracker.runtime.findings import document

    from services.control.doctor import examine, group_of
    from services.control.doctor_view import doctor_view
    from services.control.up import fleet_here

    chosen = group_of(group)
    found = examine(fleet_here(load_settings(ControlSettings)), chosen, SystemClock())
    if as_json:
        listed = [document(each) for each in found.findings]
        sys.stdout.write(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif found.problem is not None:
        sys.stderr.write(f"tracker: {found.problem}\n")
    else:
        _print(doctor_view(found))
    raise typer.Exit(found.exit_code)


def _print(view: RenderableType) -> None:
    console = Console()
    if console.is_terminal:
        console.print(view)
        return
    plain = Console(width=PLAIN_WIDTH, no_color=True)
    with plain.capture() as captured:
        plain.print(view)
    # Tables are filled up with blanks, which only a window needs.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
