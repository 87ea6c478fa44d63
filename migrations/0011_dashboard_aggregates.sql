-- migrate:up
-- What a page or a SQL dashboard shows without counting bars itself. The figures are as old as the last refresh, which
-- dashboards.maintenance tells; whoever decides something reads the tables.
CREATE VIEW dashboards.coverage WITH (security_invoker = true) AS
SELECT s.symbol, s.status, d.day, d.bars, d.expected, d.bars::float8 / nullif(d.expected, 0) AS share,
  d.first AS first_bar, d.last AS last_bar
FROM tracker.symbol_days d JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.coverage IS
  'closed bars of each symbol''s finest timeframe by the day (UTC), and how many there could be, over the last 92 days';
COMMENT ON COLUMN dashboards.coverage.expected IS
  'bars from the symbol''s first on, up to the end of the day or of what is closed';
COMMENT ON COLUMN dashboards.coverage.share IS
  'bars / expected, from 0 to 1; a minute without trades lowers it as a missing one does';
COMMENT ON COLUMN dashboards.coverage.first_bar IS 'open of the first bar of the day; null where there is none';

CREATE VIEW dashboards.strategy_activity WITH (security_invoker = true) AS
SELECT strategy, hour, looks, signals, symbols, signals::float8 / looks AS signal_share, signal_strength, commonest_skip
FROM tracker.strategy_hours;
COMMENT ON VIEW dashboards.strategy_activity IS
  'what each strategy looked at and proposed by the hour of event time, over the last 30 days';
COMMENT ON COLUMN dashboards.strategy_activity.looks IS 'symbols times closes that were decided on in the hour';
COMMENT ON COLUMN dashboards.strategy_activity.signal_strength IS 'average of the signals; null without any';
COMMENT ON COLUMN dashboards.strategy_activity.commonest_skip IS 'the reason most often given for not proposing';

CREATE VIEW dashboards.hourly_bars WITH (security_invoker = true) AS
SELECT s.symbol, h.hour, h.open, h.high, h.low, h.close, h.volume, h.turnover, h.trades, h.bars
FROM tracker.symbol_hours h JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.hourly_bars IS
  'hours made of each symbol''s finest bars, the running hour included, over the last 30 days of event time';
COMMENT ON COLUMN dashboards.hourly_bars.turnover IS 'volume times price, in the quote currency';
COMMENT ON COLUMN dashboards.hourly_bars.bars IS 'how many finest bars the hour has; 60 minutes where none is missing';

CREATE VIEW dashboards.daily_pnl WITH (security_invoker = true) AS
SELECT account, strategy, day, trades, wins, wins::float8 / trades AS win_share, gross_pnl, fees, pnl,
  sum(pnl) OVER (PARTITION BY account, strategy ORDER BY day) AS pnl_to_date
FROM tracker.pnl_days;
COMMENT ON VIEW dashboards.daily_pnl IS
  'closed trades by account, strategy and day of exit (UTC), in the account''s currency';
COMMENT ON COLUMN dashboards.daily_pnl.pnl IS 'after fees, as pnl_to_date';
COMMENT ON COLUMN dashboards.daily_pnl.pnl_to_date IS 'of this account and strategy since its first trade';

CREATE VIEW dashboards.maintenance WITH (security_invoker = true) AS
SELECT task, started_at, finished_at, seconds, ok, error, result, by_hand
FROM tracker.maintenance_runs;
COMMENT ON VIEW dashboards.maintenance IS
  'runs of the tasks that keep the database in order; a long task leaves a row a slice, with "unfinished" in its result';
COMMENT ON COLUMN dashboards.maintenance.ok IS 'null while it runs';

COMMENT ON VIEW dashboards.data_gaps IS
  'ranges of each symbol''s finest timeframe without bars: open ones are still asked for, the others are explained';

GRANT SELECT ON dashboards.coverage, dashboards.strategy_activity, dashboards.hourly_bars, dashboards.daily_pnl,
  dashboards.maintenance TO tracker_reader;

-- migrate:down
COMMENT ON VIEW dashboards.data_gaps IS NULL;
DROP VIEW dashboards.maintenance;
DROP VIEW dashboards.daily_pnl;
DROP VIEW dashboards.hourly_bars;
DROP VIEW dashboards.strategy_activity;
DROP VIEW dashboards.coverage;
