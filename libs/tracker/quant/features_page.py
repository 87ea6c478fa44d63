"""docs/features.md, made from the catalogue of features."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.quant.features import FEATURE_SET, FEATURE_SPECS, FeatureSpec, Origin
from tracker.quant.features.market import REFERENCES

COMMAND = (
    """.venv/bin/python -c "from tracker.quant.features_page import features_page; """
    """print(features_page(), end='')" > docs/features.md"""
)
_BARS = {Origin.HOUR: "1h bars", Origin.DAY: "1d bars"}
_NOTES = {
    Origin.OWN: "Of the bar that closes and those before it. `c` is a close, `o`, `h`, `l` the other prices, `v` the "
    "volume in the base currency.",
    Origin.HOUR: "Features of the latest 1h bar that had closed by the close; NaN where it closed more than 2 hours "
    "before.",
    Origin.DAY: "Features of the latest 1d bar (UTC) that had closed by the close; NaN where it closed more than 2 "
    "days before.",
    Origin.MARKET: "Among the symbols that have a bar at the same close; who has none, or is still warming up in the "
    f"feature compared, does not count. BTC is the first of {', '.join(REFERENCES)} that the universe has. Comparisons "
    "with it are NaN at a close at which it has no bar.",
    Origin.CLOCK: "UTC.",
}


def features_page() -> str:
    """Return docs/features.md."""
    parts = [
        f"""# Features

A row of `ml_features` holds these {len(FEATURE_SPECS)} numbers, as float32, in this order: all that a decision at the
close of a bar may use. Set {FEATURE_SET.hash}, version {FEATURE_SET.version}; another list or another formula is
another set, stored beside this one. `ml_features_named` shows the set that is written now with a column each.

A feature is NaN until its warm-up is complete and finite after: there are that many bars before the one that closes,
from the anchor of its window on (docs/decisions/0004-anchored-windows.md).

Made from `tracker.quant.features`:

    {COMMAND}
"""
    ]
    for origin in Origin:
        parts.append(f"## {origin.value[0].upper()}{origin.value[1:]}\n\n{_NOTES[origin]}\n")
        parts.append(_table(origin, (each for each in FEATURE_SPECS if each.origin is origin)))
    return "\n".join(parts)


def _table(origin: Origin, specs: Iterable[FeatureSpec]) -> str:
    head = f"| name | formula | source | unit | warm-up, {_BARS.get(origin, 'bars')} |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| `{each.name}` | {_cell(each.formula)} | {each.source} | {each.unit} | {each.warmup_bars} |\n"
        for each in specs
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
