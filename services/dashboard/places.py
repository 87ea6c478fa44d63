"""All pages, in the order of the menu."""

from __future__ import annotations

from services.dashboard.context import Page
from services.dashboard.pages import data, fleet, market, models, overview, paper, shadow, strategies

PAGES: tuple[Page, ...] = (
    Page(path="/", title="Overview", icon="space_dashboard", build=overview.build),
    Page(path="/market", title="Market", icon="candlestick_chart", build=market.build),
    Page(path="/strategies", title="Strategies", icon="rule", build=strategies.build),
    Page(path="/paper", title="Paper", icon="account_balance_wallet", build=paper.build),
    Page(path="/models", title="Models", icon="model_training", build=models.build),
    Page(path="/shadow", title="Shadow", icon="bubble_chart", build=shadow.build),
    Page(path="/data", title="Data", icon="storage", build=data.build),
    Page(path="/fleet", title="Fleet", icon="dns", build=fleet.build),
)
