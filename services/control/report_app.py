"""`tracker report ...` as typed."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from tracker.domain.errors import InputError
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings


class Kind(StrEnum):
    """The reports that there are, as tracker.runtime.reporting.timetable has them."""

    MORNING = "morning"
    EVENING = "evening"
    WEEKLY = "weekly"


def report(
    now: Annotated[bool, typer.Option("--now", help="Make one now, whatever the time.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it here; nothing is sent or kept.")] = False,
    kind: Annotated[Kind | None, typer.Option(help="Which [the daily one that came due last].")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write its picture to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print Slack's blocks as JSON.")] = False,
) -> None:
    """Make a report by hand: it goes to Slack as those of the timetable do, or with --dry-run is only shown."""
    if not now:
        raise InputError("tracker report: say --now; the reports of the timetable come by themselves")
    import orjson

    from services.control.report import make_report

    made = make_report(load_settings(ControlSettings), kind, picture, dry_run=dry_run)
    if as_json:
        sys.stdout.write(orjson.dumps(made.document(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(made.words())
