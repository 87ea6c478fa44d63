"""Pages that stand alone: one file, readable without a network, dark or light as the reader's system is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

# Blue and orange differ for every kind of colour vision.
REPORT_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #ffffff; --ink: #1c1e21; --soft: #62676e; --line: #e3e4e6;
  --a: #1f6feb; --b: #8a9099; --loss: #d9730d; }
@media (prefers-color-scheme: dark) { :root { --paper: #131518; --card: #1b1e22; --ink: #e7e9ec; --soft: #9aa1aa;
  --line: #30353b; --a: #58a6ff; --b: #7d858f; --loss: #f0883e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 34px 0 10px; }
p.note { color: var(--soft); margin: 0 0 8px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin-top: 18px; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
.figure span { display: block; color: var(--soft); font-size: 12.5px; }
.figure b { font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px; overflow-x: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 14px; }
@media (max-width: 520px) { .pair { grid-template-columns: 1fr; } }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; font-size: 13px; text-align: right; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { text-align: right; } th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
.minus { color: var(--loss); } .bad { color: var(--loss); font-weight: 600; }
h3 { font-size: 14px; margin: 0 0 6px; color: var(--soft); font-weight: 500; }
.card + p.note { margin-top: 8px; } .pair + .pair, section + .pair { margin-top: 14px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.part { display: inline-block; height: 9px; margin-right: 8px; background: var(--a); border-radius: 2px;
  opacity: .75; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.axis, .grid { stroke: var(--line); } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.line.a { stroke: var(--a); } .line.b { stroke: var(--b); stroke-dasharray: 4 3; } .line.loss { stroke: var(--loss); }
.area { fill-opacity: .25; stroke-width: 1.2; } .area.a { fill: var(--a); stroke: var(--a); }
.area.loss { fill: var(--loss); stroke: var(--loss); } .bar.a, .dot.a, .cell.a { fill: var(--a); }
.bar.loss, .dot.loss, .cell.loss { fill: var(--loss); } .dot { fill-opacity: .65; } .cell.none { fill: var(--line); }
.cell + text, svg text.on { fill: var(--ink); }
.legend { display: flex; gap: 18px; color: var(--soft); font-size: 13px; margin: 0 0 6px; }
.legend i { display: inline-block; width: 18px; border-top: 2px solid var(--a); margin-right: 6px;
  vertical-align: middle; }
.legend i.b { border-top: 2px dashed var(--b); } .legend i.loss { border-color: var(--loss); }
.warning { border-left: 4px solid var(--loss); padding: 8px 12px; background: var(--card); margin: 14px 0; }
"""


@dataclass(frozen=True, slots=True)
class Bad:
    """A cell of a table that is not as it should be."""

    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A cell of a table with a bar before its text, as long as `share` of the longest."""

    text: str
    share: float


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole HTML document around parts that are HTML already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{REPORT_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def figures(items: Iterable[tuple[str, str]]) -> str:
    """Return name and value pairs as a grid of cards."""
    cards = (f'<div class="figure"><span>{escape(name)}</span><b>{escape(value)}</b></div>' for name, value in items)
    return f'<div class="figures">{"".join(cards)}</div>'


def facts(items: Iterable[tuple[str, str]]) -> str:
    """Return names and values below each other; long values break."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in items)}</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[str | Bar | Bad]]) -> str:
    """Return a table in a card; a cell that begins with a minus sign is marked."""
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    if not body:
        body = f'<tr><td colspan="{len(head)}">none</td></tr>'
    return f'<div class="card"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def section(title: str, *parts: str, note: str = "") -> str:
    """Return a heading with what stands under it."""
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{said}{''.join(parts)}</section>"


def card(*parts: str) -> str:
    """Return parts in a frame."""
    return f'<div class="card">{"".join(parts)}</div>'


def legend(items: Iterable[tuple[str, str]]) -> str:
    """Return the names of lines with their style."""
    marks = (f'<span><i class="{escape(style)}"></i>{escape(name)}</span>' for name, style in items)
    return f'<div class="legend">{"".join(marks)}</div>'


def warning(text: str) -> str:
    """Return a sentence that must not be missed."""
    return f'<div class="warning">{escape(text)}</div>'


def _cell(text: str | Bar | Bad) -> str:
    if isinstance(text, Bad):
        return f'<td class="bad">{escape(text.text)}</td>'
    if isinstance(text, Bar):
        width = f"{120 * min(max(text.share, 0.0), 1.0):.0f}px"
        return f'<td><i class="part" style="width:{width}"></i>{escape(text.text)}</td>'
    mark = ' class="minus"' if text.startswith("-") else ""
    return f"<td{mark}>{escape(text)}</td>"
