"""Puts the exchange together and serves it on one port."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from tracker.domain.clock import Clock, SystemClock
from tracker.domain.errors import InputError, TrackerError
from tracker.runtime.config import load_toml, shaped
from tracker.runtime.health import health_app, listening_socket
from tracker.runtime.logging import Logger, configure_logging
from tracker.runtime.parent import parent_gone
from tracker.runtime.settings import load_settings
from tracker.runtime.universe import load_universe
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.market_simulator.clock import ExchangeClock, FastClock, PacedClock, RealClock
from services.market_simulator.controls import NAME, Controls
from services.market_simulator.faults import FaultLedger
from services.market_simulator.generated import generated_market
from services.market_simulator.hub import Hub
from services.market_simulator.market import Market
from services.market_simulator.parameters import EdgeParameters, MarketParameters
from services.market_simulator.replayed import replayed_market
from services.market_simulator.rest import Rest
from services.market_simulator.script import ScriptOrder
from services.market_simulator.session import TRANSPORT, Sessions
from services.market_simulator.settings import MarketSimulatorSettings, command_line
from services.market_simulator.stream import Stream


class _WebSocketProtocol(WebSocketsSansIOProtocol):
    """Shows its transport to the application, which cuts connections as a failing network would."""

    async def run_asgi(self) -> None:
        """Run the application with the transport in its state."""
        self.scope.setdefault("state", {})[TRANSPORT] = self.transport
        await super().run_asgi()


class _Server(uvicorn.Server):
    """A server that leaves the signals to `serve`."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take no signals."""
        yield


def build_market(settings: MarketSimulatorSettings) -> Market:
    """Read the candles, or invent the market of universe.toml."""
    if settings.candles is not None:
        return replayed_market(settings.candles, settings.symbols)
    parameters = load_toml(settings.config_dir / "market_simulator.toml", MarketParameters)
    if settings.seed is not None:
        parameters = parameters.model_copy(update={"seed": settings.seed})
    parameters = parameters.model_copy(update={"edge": planted_edge(settings, parameters.edge)})
    universe = load_universe(settings.config_dir / "universe.toml")
    return generated_market(parameters, universe, settings.symbols)


def planted_edge(settings: MarketSimulatorSettings, configured: EdgeParameters | None) -> EdgeParameters | None:
    """Return the configured edge with what the settings say of it laid over; None where there is none.

    Raises ConfigError naming field and value, InputError for what is said of an edge that is not there.
    """
    said = {
        name: value
        for name, value in (
            ("strength", settings.edge), ("cycles", settings.edge_cycles),
            ("first_day", settings.edge_first_day), ("last_day", settings.edge_last_day),
        )
        if value is not None
    }
    if not said or said.get("strength") == 0:
        return None if said else configured
    if configured is None and "strength" not in said:
        name = min(said)
        raise InputError(f"edge_{name} = {said[name]}: there is no edge; --edge says how strong it is")
    laid_over = {} if configured is None else configured.model_dump()
    return shaped("edge", laid_over | said, EdgeParameters)


def build_clock(settings: MarketSimulatorSettings, market: Market, clock: Clock) -> ExchangeClock:
    """Return the clock that the settings ask for."""
    start = None if settings.start is None else settings.start.timestamp()
    if settings.clock == "real":
        return RealClock(clock)
    if settings.clock == "paced":
        return PacedClock(start)
    if start is None:
        first = market.first
        start = clock.now().timestamp() if first is None else first + settings.catch_up
    speed = float(settings.clock.removesuffix("x"))
    return FastClock(clock, speed, start, clock.monotonic(), market.last)


def build_app(settings: MarketSimulatorSettings, market: Market, log: Logger) -> tuple[FastAPI, Stream]:
    """Return the application and the stream whose `run` must go on beside it."""
    system = SystemClock()
    clock = build_clock(settings, market, system)
    hub, ledger = Hub(settings.over_cap), FaultLedger(system, clock.now)
    stream = Stream(market, clock, hub, ledger, log, settings.catch_up)
    key = None if settings.api_key is None else settings.api_key.get_secret_value()
    sessions = Sessions(
        hub, stream, ledger, frozenset(listing.stream for listing in market.listings.values()), key,
        settings.auth_seconds,
    )
    controls = Controls(stream)
    if settings.fault_seed is not None:
        controls.start_script(
            ScriptOrder(seed=settings.fault_seed, hours=settings.fault_hours, per_hour=settings.faults_per_hour)
        )
    app = FastAPI(title=NAME, openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes.extend(health_app(NAME, controls.ready, controls.health).routes)
    app.include_router(controls.router())
    app.router.routes.extend(Rest(market, clock, ledger, sessions.accepts).routes())
    app.router.routes.extend(WebSocketRoute(path, sessions.serve) for path in ("/crypto", "/"))
    return app, stream


async def serve(settings: MarketSimulatorSettings, log: Logger) -> None:
    """Serve until told to stop; raises PortInUseError."""
    market = build_market(settings)
    listener = listening_socket(NAME, settings.host, settings.port)
    # Accepted sockets inherit it. Without it each small answer waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Listening before the line below is logged: whoever reads it may connect at once.
    listener.listen(128)
    app, stream = build_app(settings, market, log)
    server = _server(app)
    pump = asyncio.create_task(stream.run())
    pump.add_done_callback(lambda task: _stop(server) if not task.cancelled() and task.exception() else None)
    log.info(
        "the exchange runs", action="service_started", port=listener.getsockname()[1],
        clock=stream.clock.mode, symbols=len(market.listings), candles=str(settings.candles or ""),
    )
    orphaned = asyncio.create_task(parent_gone(settings.supervised))
    orphaned.add_done_callback(lambda task: None if task.cancelled() else _stop(server))
    try:
        await server.serve(sockets=[listener])
    finally:
        orphaned.cancel()
        pump.cancel()
        listener.close()
        await asyncio.wait([pump])
    if not pump.cancelled() and (error := pump.exception()) is not None:
        raise error
    log.info("the exchange stopped", action="service_stopped")


def _server(app: FastAPI) -> uvicorn.Server:
    # Its own lines are not JSON, and say no more than ours.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws=_WebSocketProtocol,
        ws_per_message_deflate=False, timeout_graceful_shutdown=1,
    ))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server)
    return server


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the exchange; what makes it impossible is one sentence and exit code 2."""
    options = command_line(sys.argv[1:] if arguments is None else arguments)
    try:
        settings = load_settings(MarketSimulatorSettings, options)
        log = configure_logging(NAME, settings.log_level)
        asyncio.run(serve(settings, log))
    except TrackerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
