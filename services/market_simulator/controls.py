"""The endpoints that are not the vendor's: the clock, the faults, the state."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from services.market_simulator.clock import PacedClock
from services.market_simulator.faults import FaultKind, FaultOrder, Stroke
from services.market_simulator.script import PlannedFault, ScriptOrder, fault_script
from services.market_simulator.stream import Stream

NAME = "market_simulator"
_STREAM_CUTS = {FaultKind.DROP, FaultKind.EVICT, FaultKind.LOST_SUBSCRIPTION}


class ClockOrder(BaseModel):
    """Where to set the clock: exactly one of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jump_to: AwareDatetime | None = None
    advance_to: AwareDatetime | None = None

    @model_validator(mode="after")
    def _check_one(self) -> ClockOrder:
        if (self.jump_to is None) == (self.advance_to is None):
            raise ValueError("give jump_to or advance_to")
        return self


@dataclass(slots=True)
class Controls:
    """Reports and sets what goes on in the exchange."""

    stream: Stream
    instance: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    async def ready(self) -> str | None:
        """Return None: whoever reaches the exchange may use it."""
        return None

    async def health(self) -> dict[str, Any]:
        """Return the state for /health."""
        hub = self.stream.hub
        return {
            "status": "pass", "name": NAME, "clock": self.state(),
            "counts": {
                "connections": len(hub.connections), "subscribers": len(hub.subscribers()),
                "frames_sent": hub.frames_sent, "symbols": len(self.stream.market.listings),
            },
            "faults": self.stream.ledger.report(),
        }

    def state(self) -> dict[str, Any]:
        """Return the clock's state."""
        stream, market = self.stream, self.stream.market
        return {
            "instance": self.instance, "mode": stream.clock.mode, "now": _iso(stream.clock.now()),
            "first": _iso(market.first), "last": _iso(market.last),
            "symbols": [listing.symbol for listing in market.listings.values()],
            "subscribers": len(stream.hub.subscribers()), "sent_through": _iso(stream.sent_through),
        }

    def router(self) -> APIRouter:
        """Return the routes of clock and faults."""
        router = APIRouter()
        router.add_api_route("/clock", self._clock, methods=["GET"])
        router.add_api_route("/clock", self._set_clock, methods=["POST"])
        router.add_api_route("/faults", self._faults, methods=["GET"])
        router.add_api_route("/faults", self._add_fault, methods=["POST"], status_code=201)
        router.add_api_route("/faults", self._clear_faults, methods=["DELETE"])
        router.add_api_route("/faults/log", self._log, methods=["GET"])
        router.add_api_route("/faults/script", self._script, methods=["GET"])
        router.add_api_route("/faults/script", self._start_script, methods=["POST"], status_code=201)
        return router

    async def _clock(self) -> dict[str, Any]:
        return self.state()

    async def _set_clock(self, order: ClockOrder) -> dict[str, Any]:
        clock = self.stream.clock
        if not isinstance(clock, PacedClock):
            raise HTTPException(409, f"the clock moves by itself (mode {clock.mode}), use --clock paced")
        if order.jump_to is not None:
            await self.stream.jump_to(clock, int(order.jump_to.timestamp()))
        elif order.advance_to is not None:
            if self.stream.sent_through is None and self.stream.market.first is None:
                raise HTTPException(409, "the clock was never set, use jump_to first")
            await self.stream.advance_to(clock, int(order.advance_to.timestamp()))
        return self.state()

    async def _faults(self) -> dict[str, Any]:
        return self.stream.ledger.report()

    async def _add_fault(self, order: FaultOrder) -> dict[str, Any]:
        known = {listing.symbol for listing in self.stream.market.listings.values()}
        unknown = sorted(set(order.symbols) - known)
        if unknown:
            raise HTTPException(422, f"symbols: {unknown[0]!r} is not listed here")
        self.stream.ledger.add(order)
        if order.kind in _STREAM_CUTS:
            self.stream.strike_connections()
        elif order.kind is FaultKind.CORRECT:
            await self.stream.strike_corrections()
        return self.stream.ledger.report()

    async def _clear_faults(self, kind: FaultKind | None = None) -> dict[str, Any]:
        if kind is None:
            self.stream.script = None
        self.stream.ledger.clear(kind)
        return self.stream.ledger.report()

    async def _log(self) -> dict[str, Any]:
        return {"strokes": [_stroke(each) for each in self.stream.ledger.strokes]}

    async def _script(self) -> dict[str, Any]:
        script = self.stream.script
        if script is None:
            return {"ahead": 0, "plan": []}
        return {"ahead": script.ahead, "plan": [_planned(each) for each in script.plan]}

    async def _start_script(self, order: ScriptOrder) -> dict[str, Any]:
        self.start_script(order)
        return await self._script()

    def start_script(self, order: ScriptOrder) -> None:
        """Begin a fault script at the exchange's present time; raises HTTPException before the clock was set."""
        now = self.stream.clock.now()
        if now is None:
            raise HTTPException(409, "the clock was never set, use jump_to first")
        symbols = sorted(listing.symbol for listing in self.stream.market.listings.values())
        self.stream.script = fault_script(order, int(now), symbols)


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stroke(stroke: Stroke) -> dict[str, Any]:
    return {
        "fault": stroke.fault, "kind": stroke.kind, "at": _iso(stroke.at), "symbols": stroke.symbols,
        "bars": stroke.bars,
    }


def _planned(planned: PlannedFault) -> dict[str, Any]:
    orders = [each.model_dump(exclude_defaults=True) | {"kind": each.kind} for each in planned.orders]
    return {"at": _iso(planned.at), "case": planned.case, "orders": orders}
