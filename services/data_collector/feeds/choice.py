"""Which vendor's client the source asks for."""

from __future__ import annotations

from tracker.domain.clock import Clock
from tracker.runtime.logging import Logger

from services.data_collector.feeds.base import Feed
from services.data_collector.feeds.coinbase import CoinbaseFeed
from services.data_collector.feeds.kraken import KrakenFeed
from services.data_collector.feeds.polygon import PolygonFeed
from services.data_collector.settings import CollectorSettings


def feed_of(settings: CollectorSettings, clock: Clock, log: Logger) -> Feed:
    """Return the client of the source in the settings; simulated and replayed markets speak Polygon's protocol."""
    if settings.source == "coinbase":
        return CoinbaseFeed(settings, clock, log)
    if settings.source == "kraken":
        return KrakenFeed(settings, clock, log)
    return PolygonFeed(settings, clock, log)
