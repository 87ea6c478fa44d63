"""A report's document laid out for Slack: what there is in numbers, and of what there is not why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from tracker.runtime.durations import duration
from tracker.runtime.reporting.block_kit import Message, Part, code, compose, escape
from tracker.runtime.reporting.presentation import (
    MEANINGS,
    UNKNOWN,
    count,
    marked,
    moment,
    money,
    percent,
    price,
)

Document = Mapping[str, Any]
TITLES = {"morning": "Morning report", "evening": "Evening report", "weekly": "Weekly summary"}
STEPS = ("scans", "setups", "scored", "approved", "filled", "closed")
BEST = 3
UP, DOWN, FLAT = ":arrow_up:", ":arrow_down:", ":black_small_square:"
SEVERITIES = {"critical": ":rotating_light:", "warning": ":warning:", "info": ":information_source:"}
NO_ACCOUNT = (
    "No paper account yet: the paper trader opens one at its first minute. `tracker status` shows whether it runs."
)
NO_SCAN = "Nothing was scanned: scanners wait for features, and these for bars. `tracker status` shows how far each is."
NO_SHADOW = (
    "No variation has traded in that time. They are judged once an hour: `tracker shadow top` shows what is known."
)
NO_LOOK = ":warning: The health monitor has never looked: `tracker up` starts it, its log says why it does not."


def lay_out(document: Document) -> Message:
    """Return the message of a report."""
    zone = ZoneInfo(document["zone"])
    due = datetime.fromisoformat(document["due_at"])
    title = f"{TITLES[document['kind']]} · {due.astimezone(zone):%a %d %b %Y %H:%M}"
    title = marked(title, document["tag"])
    parts = [
        _profit(document, zone), _positions(document), _trades(document, zone), _symbols(document, zone),
        _funnel(document, zone), _shadow(document), _models(document, zone), _data(document, zone),
        _health(document, zone), _alerts(document, zone),
    ]  # fmt: skip
    return compose(f"{title}: {_in_short(document)}", title, list(_notes(document, zone)), parts)


def _in_short(document: Document) -> str:
    accounts = document["accounts"]
    failing = sum(each["severity"] == "critical" for each in document["failing"])
    said = [
        f"{each['account']} {money(each['pnl_since'], each['currency'], sign=True)}"
        f" ({money(each['equity'], each['currency'])})"
        for each in accounts[:3]
    ] or ["no paper account yet"]
    return ", ".join([*said, f"{failing} critical" if failing else "no critical finding"])


def _notes(document: Document, zone: ZoneInfo) -> Iterator[str]:
    if document["tag"] is not None:
        yield f":warning: *{document['tag']}*: {MEANINGS[document['tag']]}"
    said = [f"times of {escape(str(zone))}", f"since {moment(_at(document['since']), zone)}"]
    scanned = _at(document["scanned_through"])
    if scanned is not None:
        said.append(f"market through {moment(scanned, zone)}")
    if document["late"]:
        late = duration((_time(document["made_at"]) - _time(document["due_at"])).total_seconds())
        said.insert(0, f"*made {late} late*")
    if document["skipped"]:
        said.insert(0, f"*stands for {document['skipped']} more that were missed*")
    if document["asked_by"]:
        said.insert(0, f"asked for by {escape(document['asked_by'])}")
    yield " · ".join(said)


def _profit(document: Document, zone: ZoneInfo) -> Part:
    accounts = document["accounts"]
    if not accounts:
        return Part(title="Profit and loss", lines=[NO_ACCOUNT])
    fields: list[tuple[str, str]] = []
    lines: list[str] = []
    for each in accounts:
        unit, name = each["currency"], each["account"]
        drawdown = each["drawdown"]
        lines.append(
            f"{code(name)} {escape(each['state'])} · equity {money(each['equity'], unit)} of"
            f" {money(each['capital'], unit)} put in · drawdown {percent(drawdown['now'], 1)}"
            f" (worst {percent(drawdown['worst'], 1)}) · through {moment(_at(each['through']), zone)}"
        )
    main = accounts[0]
    for title, key in (("Today", "pnl_today"), ("Since last report", "pnl_since"), ("Total", "pnl")):
        share = main[key] / main["capital"] if main["capital"] else None
        fields.append((title, f"{_arrow(main[key])} {money(main[key], main['currency'], sign=True)}"
                              f" ({percent(share, sign=True)})"))  # fmt: skip
    fields.append(("Open positions", count(sum(each["open_positions"] for each in accounts))))
    for each in accounts[1:4]:
        fields.append((f"{each['account']}: today, total",
                       f"{money(each['pnl_today'], each['currency'], sign=True)},"
                       f" {money(each['pnl'], each['currency'], sign=True)}"))  # fmt: skip
    return Part(title=f"Profit and loss: {main['account']}", lines=lines, fields=fields, more="more accounts")


def _positions(document: Document) -> Part:
    positions = document["positions"]
    title = f"Open positions ({len(positions)})"
    if not positions:
        return Part(title=title, lines=["None. `tracker why` says why a symbol is not traded."])
    lines = [
        f"{_arrow(each['unrealised_pnl'])} *{escape(each['symbol'])}* {escape(each['strategy'])}"
        f"{_whose(document, each)} {money(each['unrealised_pnl'], sign=True)}"
        f" ({percent(_move(each['average_price'], each['last_price']), sign=True)}) · {price(each['average_price'])} to"
        f" {price(each['last_price'])} · stop {price(each['stop_price'])} · target {price(each['target_price'])}"
        for each in positions
    ]
    return Part(title=title, lines=lines, more="positions")


def _trades(document: Document, zone: ZoneInfo) -> Part:
    accounts = document["accounts"]
    total = sum(each["trade_count"] for each in accounts)
    title = f"Trades since the last report ({total})"
    if not total:
        return Part(title=title, lines=["None was closed."])
    lines: list[str] = []
    for each in accounts:
        if each["trade_count"]:
            lines.append(
                f"{code(each['account'])} {each['trade_wins']} of {each['trade_count']} won,"
                f" {money(each['trade_pnl'], each['currency'], sign=True)} after fees"
            )
    found = (row for each in accounts for row in each["trades"])
    trades = sorted(found, key=lambda row: row["exit_time"], reverse=True)
    lines += [
        f"{_arrow(row['pnl'])} *{escape(row['symbol'])}* {escape(row['strategy'])}{_whose(document, row)}"
        f" {money(row['pnl'], sign=True)}"
        f" ({percent(row['move'], sign=True)}) · {escape(row['exit_reason'])} {moment(_at(row['exit_time']), zone)}"
        for row in trades
    ]
    left = total - len(trades)
    if left:
        lines.append(f"… and {left} earlier ones")
    return Part(title=title, lines=lines, more="trades")


def _symbols(document: Document, zone: ZoneInfo) -> Part:
    main = document["accounts"][0] if document["accounts"] else None
    title = "Best and worst symbols"
    if main is None or not main["symbols"]:
        return Part(title=title, lines=["No trade was closed in that time, so there is nothing to rank."])
    ranked = main["symbols"]
    best = [each for each in ranked[:BEST] if each["pnl"] > 0]
    worst = [each for each in reversed(ranked[-BEST:]) if each["pnl"] < 0]
    lines = [f"{UP} {_ranked(best)}" if best else f"{UP} none earned anything"]
    lines.append(f"{DOWN} {_ranked(worst)}" if worst else f"{DOWN} none lost anything")
    lines.append(f"{len(ranked)} symbols traded since {moment(_at(main['symbols_since']), zone)}")
    return Part(title=title, lines=lines)


def _ranked(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"*{escape(each['symbol'])}* {money(each['pnl'], sign=True)} in {each['trades']}" for each in rows)


def _funnel(document: Document, zone: ZoneInfo) -> Part:
    title = "Funnel: " + " > ".join(STEPS)
    found: dict[str, dict[str, int]] = {}
    for row in document["funnel"]:
        found.setdefault(row["strategy"], {})[row["step"]] = row["count"]
    if not found:
        return Part(title=title, lines=[NO_SCAN])
    stopped = {row["strategy"]: row for row in document["stopped_by"]}
    lines: list[str] = []
    for strategy, steps in found.items():
        line = f"*{escape(strategy)}* " + " > ".join(count(steps.get(step, 0)) for step in STEPS)
        if strategy in stopped:
            row = stopped[strategy]
            line += f" · most stopped by {code(row['reason'])} ({count(row['count'])})"
        lines.append(line)
    return Part(title=title, lines=lines, more="strategies")


def _shadow(document: Document) -> Part:
    leaders = document["shadow"]
    title = "Shadow: best variations"
    if not leaders:
        return Part(title=title, lines=[NO_SHADOW])
    lines = [
        f"*{escape(each['strategy'])}* {code(each['variation'][:12])} {percent(each['total_return'], sign=True)},"
        f" {each['trades']} trades, deflated Sharpe {_number(each['dsr'])}, drawdown {percent(each['max_drawdown'], 1)}"
        f" · {escape(_changes(each['changes']))}"
        for each in leaders
    ]
    lines.append(f"of {count(leaders[0]['variations'])} that traded; below 0.95 a Sharpe ratio may well be luck")
    return Part(title=title, lines=lines, more="variations")


def _changes(text: str) -> str:
    changes: Mapping[str, Any] = orjson.loads(text) if text else {}
    return ", ".join(f"{name} {value}" for name, value in changes.items()) or "as live"


def _models(document: Document, zone: ZoneInfo) -> Part:
    lines: list[str] = []
    for each in document["champions"]:
        if each["model_id"] is None:
            lines.append(f"*{escape(each['strategy'])}* no champion: the rule decides alone")
            continue
        looked = "not looked at yet" if each["action"] is None else (
            f"{escape(each['action'])}, Brier {_number(each['brier'])} (promised {_number(each['expected_brier'])})"
            f" on {count(each['labels'])} outcomes"
        )
        lines.append(f"*{escape(each['strategy'])}* model {each['model_id']} since"
                     f" {moment(_at(each['promoted_at']), zone)}: {looked}")  # fmt: skip
    for each in document["verdicts"]:
        verdict = "promoted" if each["promoted"] else "passed" if each["passed"] else "refused"
        failed = f" for {escape(each['failed'])}" if each["failed"] else ""
        lines.append(f"gate: model {each['model_id']} of {escape(each['strategy'])} *{verdict}*{failed}")
    if not lines:
        lines = ["Nothing is scanned yet, so no model is asked."]
    elif not document["verdicts"]:
        lines.append("The gate judged no model since the last report.")
    return Part(title="Models", lines=lines, more="models and verdicts")


def _data(document: Document, zone: ZoneInfo) -> Part:
    data = document["data"]
    lines = [
        f"{count(data['active'])} symbols collected, {count(data['unsupported'])} unknown to the vendor,"
        f" {count(data['paused'])} paused · complete through {moment(_at(data['closed_through']), zone)}"
    ]
    if data["open_gaps"]:
        lines.append(f":warning: {count(data['open_gaps'])} gaps open in {count(data['gap_symbols'])} symbols,"
                     f" the oldest since {moment(_at(data['gap_since']), zone)}: `tracker gaps` has them")  # fmt: skip
    else:
        lines.append("No gap is open.")
    lines.append(f"{count(data['healed_bars'])} bars were filled in and {count(data['rejected'])} rejected"
                 " since the last report")  # fmt: skip
    for each in document["coverage"]:
        share = each["bars"] / each["expected"] if each["expected"] else None
        day = datetime.fromisoformat(each["day"])
        lines.append(f"{day:%a %d %b} (UTC): {percent(share, 1)} of all minutes have a bar, least {code(each['least'])}"
                     f" {percent(each['least_share'], 1)}")  # fmt: skip
    if not document["coverage"]:
        lines.append("Coverage by the day is not counted yet: data_scheduler does that.")
    return Part(title="Data quality", lines=lines)


def _health(document: Document, zone: ZoneInfo) -> Part:
    failing = sorted(document["failing"], key=lambda each: (list(SEVERITIES).index(each["severity"]), each["since"]))
    title = f"Health: {document['findings'] - len(failing)} of {document['findings']} invariants hold"
    looked = _at(document["looked_at"])
    if looked is None:
        return Part(title="Health", lines=[NO_LOOK])
    lines = [
        f":no_entry: {code(each['account'])} may not trade freely: {escape(each['state'])} {escape(each['note'])}"
        for each in document["trading"]
    ]
    lines += [
        f"{SEVERITIES[each['severity']]} {code(each['name'])} {escape(each['observed'])}"
        f" (limit {escape(each['limit'])}) since {moment(_at(each['since']), zone)}"
        for each in failing
    ]
    fleet = document["fleet"]
    lines.append(f"{count(fleet['services'])} processes, {fleet['rss_bytes'] / 2**20:,.0f} MB,"
                 f" {count(fleet['restarts'])} restarts · last look {moment(looked, zone)}")  # fmt: skip
    return Part(title=title, lines=lines, more="more: `tracker doctor` shows all")


def _alerts(document: Document, zone: ZoneInfo) -> Part:
    alerts = document["alerts"]
    if not alerts:
        return Part(title="Alerts since the last report", lines=["None."])
    lines = []
    for each in alerts:
        again = f", came back {each['repeats']}x" if each["repeats"] else ""
        if each["state"] in ("open", "recovering"):
            lines.append(f"{SEVERITIES[each['severity']]} {code(each['fingerprint'])} since"
                         f" {moment(_at(each['first_at']), zone)}{again}")  # fmt: skip
        else:
            end = "" if each["recovered_at"] is None else f", recovered {moment(_at(each['recovered_at']), zone)}"
            lines.append(f":white_check_mark: {code(each['fingerprint'])} {moment(_at(each['first_at']), zone)}{end}"
                         f"{again}")  # fmt: skip
    return Part(title=f"Alerts since the last report ({len(alerts)})", lines=lines, more="alerts")


def _whose(document: Document, row: Mapping[str, Any]) -> str:
    return f" {code(row['account'])}" if len(document["accounts"]) > 1 else ""


def _arrow(amount: float | None) -> str:
    if amount is None or abs(amount) < 0.005:
        return FLAT
    return UP if amount > 0 else DOWN


def _move(begin: float | None, end: float | None) -> float | None:
    return None if not begin or end is None else end / begin - 1


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
