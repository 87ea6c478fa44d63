-- migrate:up
ALTER TABLE tracker.signals ADD COLUMN break_even_distance float8 NOT NULL DEFAULT 0;
COMMENT ON COLUMN tracker.signals.break_even_distance IS
  'how far above the average entry the price must have come for the stop to be raised to what the trade cost; 0: never';

ALTER TABLE tracker.positions
  ADD COLUMN break_even_distance numeric NOT NULL DEFAULT 0,
  ADD COLUMN break_even_cost float8 NOT NULL DEFAULT 0,
  ADD COLUMN stop_reason text NOT NULL DEFAULT 'stop'
    CONSTRAINT positions_stop_reason CHECK (stop_reason IN ('stop', 'trailing', 'break_even')),
  ADD COLUMN last_bar_at timestamptz;
UPDATE tracker.positions SET stop_reason = 'trailing' WHERE stop_price > initial_stop_price;
COMMENT ON COLUMN tracker.positions.break_even_cost IS 'what a round trip costs, as a fraction of the price';
COMMENT ON COLUMN tracker.positions.last_bar_at IS 'close of the bar that last_price is of; long ago: a stale price';
COMMENT ON COLUMN tracker.positions.stop_reason IS 'what a touched stop would be: stop, or what raised it';

ALTER TABLE tracker.positions DROP CONSTRAINT positions_leaving_check,
  ADD CONSTRAINT positions_leaving_check
    CHECK (leaving IN ('stop', 'trailing', 'target', 'timeout', 'break_even', 'flatten'));
ALTER TABLE tracker.trade_logs DROP CONSTRAINT trade_logs_exit_reason_check,
  ADD CONSTRAINT trade_logs_exit_reason_check
    CHECK (exit_reason IN ('stop', 'trailing', 'target', 'timeout', 'break_even', 'flatten'));

-- migrate:down
UPDATE tracker.trade_logs SET exit_reason = CASE exit_reason WHEN 'flatten' THEN 'timeout' ELSE 'trailing' END
  WHERE exit_reason IN ('break_even', 'flatten');
UPDATE tracker.positions SET leaving = CASE leaving WHEN 'flatten' THEN 'timeout' ELSE 'trailing' END
  WHERE leaving IN ('break_even', 'flatten');
ALTER TABLE tracker.trade_logs DROP CONSTRAINT trade_logs_exit_reason_check,
  ADD CONSTRAINT trade_logs_exit_reason_check CHECK (exit_reason IN ('stop', 'trailing', 'target', 'timeout'));
ALTER TABLE tracker.positions DROP CONSTRAINT positions_leaving_check,
  ADD CONSTRAINT positions_leaving_check CHECK (leaving IN ('stop', 'trailing', 'target', 'timeout'));
ALTER TABLE tracker.positions DROP COLUMN last_bar_at, DROP COLUMN stop_reason, DROP COLUMN break_even_cost,
  DROP COLUMN break_even_distance;
ALTER TABLE tracker.signals DROP COLUMN break_even_distance;
