"""One look as a page of text: the answer first, then the chain link by link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

# Told apart by shape and by brightness, for those who do not tell red from green.
MET, FAILED, NOT_ASKED = Text("✔", "bold cyan"), Text("✘", "bold yellow"), Text("·", "dim")


def why_view(documents: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return what `tracker why` prints without --json."""
    parts: list[RenderableType] = []
    for each in documents:
        parts += [_block(each), Text("")]
    return Group(*parts[:-1]) if parts else Text("No strategy looks at the market.")


def _block(look: Mapping[str, Any]) -> RenderableType:
    at = "no close yet" if look["at"] is None else f"close of {_moment(look['at'])} UTC, {look['timeframe']}"
    parts: list[RenderableType] = [
        Text(f"{look['symbol']}, {look['strategy']}, {at}", "bold"), Text(look["answer"], "yellow"),
    ]  # fmt: skip
    if look["broken"] is not None:
        parts.append(Text(f"What to do: {look['broken']['do']}."))
    parts.append(Text(""))
    parts.append(_chain(look))
    unknown = [each for each in look["features"] if not each["known"]]
    if unknown:
        parts.append(_below(_unknown(unknown)))
    if look["features"]:
        parts.append(_below(_features([each for each in look["features"] if each["known"]])))
    if look["conditions"] and look["reason"] != "warming_up":
        parts.append(_below(_conditions(look["conditions"])))
    for account in look["accounts"]:
        if account["locks"]:
            parts.append(_below(_locks(account)))
        if account["fills"]:
            parts.append(_below(_fills(account)))
    return Group(*parts)


def _below(part: RenderableType) -> RenderableType:
    return Padding(part, (1, 0, 0, 2))


def _chain(look: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 1))
    for mark, link, says in (
        _bar(look), _inputs(look), _rule(look), _decision(look), (NOT_ASKED, "model", look["model"]["says"]),
        *_signal(look),
    ):  # fmt: skip
        table.add_row(mark, Text(link, "bold"), says)
    return table


def _bar(look: Mapping[str, Any]) -> tuple[Text, str, str]:
    bar = look["bar"]
    if bar is None:
        return FAILED, "bar", "none"
    corrected = "never corrected" if not bar["revision"] else f"corrected {bar['revision']} times"
    age = bar["age_seconds"]
    lag = f"{age:.1f} s after its close" if abs(age) < 86_400 else f"on {_moment(bar['received_at'])}"
    return (
        MET, "bar",
        f"opened {_moment(bar['ts'])}, close {bar['close']:.8g}, volume {bar['volume']:.4g};"
        f" received {lag} ({bar['source']}), {corrected}",
    )  # fmt: skip


def _inputs(look: Mapping[str, Any]) -> tuple[Text, str, str]:
    inputs = look["features"]
    known = sum(each["known"] for each in inputs)
    if not inputs:
        return (FAILED if look["bar"] is not None else NOT_ASKED), "features", "none"
    lacking = any(not each["known"] and not each["optional"] for each in inputs)
    computed = "" if look["features_computed_at"] is None else f", computed {_moment(look['features_computed_at'])}"
    return (FAILED if lacking else MET), "features", f"{known} of {len(inputs)} known{computed}"


def _rule(look: Mapping[str, Any]) -> tuple[Text, str, str]:
    gates = [each["holds"] for each in look["conditions"] if each["kind"] == "gate"]
    score = look["score"]
    if not gates or score is None:
        asked = look["bar"] is not None and look["decision"] is not None
        return NOT_ASKED, "rule", "its conditions are not known" if asked else "not asked"
    asked = score["confirmations_asked"]
    of = f"{score['confirmations']} of {asked} confirmations, " if asked else ""
    return (
        MET if all(gates) else FAILED, "rule",
        f"{sum(gates)} of {len(gates)} gates hold, {of}strength {score['strength']:.3f}",
    )  # fmt: skip


def _decision(look: Mapping[str, Any]) -> tuple[Text, str, str]:
    if look["decision"] is None:
        return FAILED, "decision", "none was taken"
    now = look["recomputed"]
    agrees = "" if now is None else f"; {now['says']}"
    mark = FAILED if now is not None and now["agrees"] is False and now["same_config"] else MET
    return mark, "decision", f"{look['decision']} {look['reason']}, {_moment(look['look']['scanned_at'])}{agrees}"


def _signal(look: Mapping[str, Any]) -> list[tuple[Text, str, str]]:
    signal = look["signal"]
    if signal is None:
        return [(NOT_ASKED, "signal", "none"), (NOT_ASKED, "accounts", "not asked")]
    ladder = f", ladder {', '.join(f'{each:.6g}' for each in signal['ladder'])}" if signal["ladder"] else ""
    entry, stop, target = (f"{signal[name]:.8g}" for name in ("entry", "stop", "target"))
    says = f"{signal['side']} at {entry}, stop {stop}, target {target}{ladder}"
    stopped = {"scored", "approved"}
    return [
        (MET, "signal", says),
        *(
            (FAILED if each["last_step"] in stopped else MET, each["account"] or "accounts", each["says"])
            for each in look["accounts"]
        ),
    ]


def _unknown(inputs: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("not known", "", "needs", "has", "why", box=None)
    for each in inputs:
        table.add_row(
            each["name"], "optional" if each["optional"] else "", _count(each["bars_needed"]),
            _count(each["bars_there"]), each["why"],
        )  # fmt: skip
    return table


def _features(inputs: Sequence[Mapping[str, Any]]) -> Table:
    """Return the known features in two columns, which fits into 80 characters."""
    table = Table(
        Column("feature"), Column("", justify="right"), Column("feature"), Column("", justify="right"), box=None
    )
    half = (len(inputs) + 1) // 2
    for place in range(half):
        cells = [f"{each['name']}\0{each['value']:.5g}".split("\0") for each in inputs[place::half]]
        table.add_row(*(cell for pair in cells for cell in pair))
    return table


def _conditions(conditions: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        Column("", no_wrap=True), Column("condition", overflow="fold"), Column("is", justify="right", no_wrap=True),
        Column("must be", overflow="fold"), Column(""), box=None,
    )  # fmt: skip
    kind = ""
    for each in conditions:
        if each["kind"] != kind:
            kind = each["kind"]
            table.add_row("", Text(f"{kind}s", "bold"), "", "", "")
        _add(table, each, "")
    return table


def _add(table: Table, fact: Mapping[str, Any], indent: str) -> None:
    limit, of = _number(fact["limit"]), f" ({fact['of']})" if fact["of"] else ""
    must = f"{fact['relation'] or ''} {limit}{of}".strip()
    if fact["kind"] == "score":
        table.add_row(Text("="), fact["name"], _number(fact["observed"]), must, f"{fact['points']:.2f} points")
        return
    missed = "" if fact["margin"] is None else f"{-fact['margin']:.3g} off"
    says = [missed, fact["reason"] or ""] if not fact["holds"] else []
    table.add_row(
        MET if fact["holds"] else FAILED, indent + fact["name"], _number(fact["observed"]), must,
        ": ".join(each for each in says if each),
    )  # fmt: skip
    for part in fact["parts"]:
        _add(table, {**part, "reason": None}, f"{indent}  ")


def _locks(account: Mapping[str, Any]) -> Table:
    table = Table(f"{account['account']}: locked by", "of", "since", "until", "because", box=None)
    for each in account["locks"]:
        of = "account" if each["whole_account"] else "strategy" if each["strategy"] else "symbol"
        table.add_row(each["protection"], of, _moment(each["locked_at"]), _moment(each["until"]), each["note"])
    return table


def _fills(account: Mapping[str, Any]) -> Table:
    table = Table(f"{account['account']}: fill", "at", Column("quantity", justify="right"),
                  Column("price", justify="right"), Column("fee", justify="right"), box=None)  # fmt: skip
    for each in account["fills"]:
        table.add_row(
            f"{each['side']} {each['leg']}", _moment(each["filled_at"]), f"{each['quantity']:.6g}",
            f"{each['price']:.8g}", f"{each['fee']:.2f}",
        )  # fmt: skip
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")
