-- migrate:up
CREATE TABLE tracker.accounts (
  account text PRIMARY KEY,
  currency text NOT NULL,
  start_cash numeric NOT NULL CHECK (start_cash > 0),
  opened_at timestamptz NOT NULL,
  cash numeric NOT NULL,
  realised_pnl numeric NOT NULL DEFAULT 0,
  fees numeric NOT NULL DEFAULT 0 CHECK (fees >= 0)
);
SELECT tracker.written_by('tracker.accounts', 'paper_trader');
COMMENT ON COLUMN tracker.accounts.realised_pnl IS 'gross of fees';

-- A decision is known by account, strategy, symbol and decided_at; an order by that and its leg: entry,
-- rung1.., stop, trailing, target, timeout.
CREATE TABLE tracker.orders (
  order_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  account text NOT NULL REFERENCES tracker.accounts,
  strategy text NOT NULL,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  decided_at timestamptz NOT NULL,
  leg text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('entry', 'rung', 'exit')),
  side text NOT NULL CHECK (side IN ('buy', 'sell')),
  status text NOT NULL CHECK (status IN ('pending', 'partial', 'filled', 'cancelled', 'expired', 'refused')),
  reason text,
  note text NOT NULL,
  quantity numeric NOT NULL,
  filled_quantity numeric NOT NULL DEFAULT 0,
  limit_price numeric CHECK (limit_price > 0),
  reference_price numeric NOT NULL,
  placed_at timestamptz NOT NULL,
  ended_at timestamptz,
  signal_id bigint REFERENCES tracker.signals,
  config_hash text NOT NULL,
  rules_hash text NOT NULL,
  UNIQUE (account, strategy, symbol_id, decided_at, leg),
  CHECK (filled_quantity >= 0 AND filled_quantity <= quantity),
  CHECK ((status = 'refused') = (reason IS NOT NULL)),
  CHECK ((status IN ('pending', 'partial')) = (ended_at IS NULL))
);
CREATE INDEX orders_live ON tracker.orders (account) WHERE status IN ('pending', 'partial');
SELECT tracker.written_by('tracker.orders', 'paper_trader');
COMMENT ON COLUMN tracker.orders.reference_price IS
  'price the decision saw: the close for an entry, the level for a rung or an exit';
COMMENT ON COLUMN tracker.orders.config_hash IS 'of the strategy that gave the signal';
COMMENT ON COLUMN tracker.orders.rules_hash IS 'of paper_trading.toml and risk.toml';

CREATE TABLE tracker.fills (
  fill_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  order_id bigint NOT NULL REFERENCES tracker.orders,
  bar_ts timestamptz NOT NULL,
  filled_at timestamptz NOT NULL,
  side text NOT NULL CHECK (side IN ('buy', 'sell')),
  quantity numeric NOT NULL CHECK (quantity > 0),
  price numeric NOT NULL CHECK (price > 0),
  reference_price numeric NOT NULL CHECK (reference_price > 0),
  fee numeric NOT NULL CHECK (fee >= 0),
  liquidity text NOT NULL CHECK (liquidity IN ('maker', 'taker')),
  UNIQUE (order_id, bar_ts)
);
CREATE INDEX fills_by_time ON tracker.fills (filled_at);
SELECT tracker.written_by('tracker.fills', 'paper_trader');
COMMENT ON COLUMN tracker.fills.bar_ts IS 'open of the bar that filled it';
COMMENT ON COLUMN tracker.fills.filled_at IS 'the bar''s open where it filled at the opening price, else its close';
COMMENT ON COLUMN tracker.fills.reference_price IS 'price before slippage';

CREATE TABLE tracker.positions (
  position_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  account text NOT NULL REFERENCES tracker.accounts,
  strategy text NOT NULL,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  decided_at timestamptz NOT NULL,
  signal_id bigint REFERENCES tracker.signals,
  config_hash text NOT NULL,
  rules_hash text NOT NULL,
  side text NOT NULL CHECK (side IN ('long', 'short')),
  status text NOT NULL CHECK (status IN ('pending', 'open', 'closed', 'void')),
  quantity_step numeric NOT NULL CHECK (quantity_step > 0),
  quantity numeric NOT NULL CHECK (quantity >= 0),
  cost numeric NOT NULL,
  bought_quantity numeric NOT NULL,
  bought_cost numeric NOT NULL,
  proceeds numeric NOT NULL,
  realised_pnl numeric NOT NULL,
  fees numeric NOT NULL,
  stop_price numeric NOT NULL,
  initial_stop_price numeric NOT NULL,
  target_price numeric NOT NULL,
  target_fraction float8,
  trail_distance numeric NOT NULL,
  highest_price numeric,
  lowest_price numeric,
  last_price numeric,
  leaving text CHECK (leaving IN ('stop', 'trailing', 'target', 'timeout')),
  expires_at timestamptz NOT NULL,
  entry_until timestamptz NOT NULL,
  opened_at timestamptz,
  closed_at timestamptz,
  UNIQUE (account, strategy, symbol_id, decided_at),
  CHECK ((status = 'open') = (quantity > 0)),
  CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX positions_live ON tracker.positions (account, strategy, symbol_id)
  WHERE status IN ('pending', 'open');
SELECT tracker.written_by('tracker.positions', 'paper_trader');
COMMENT ON COLUMN tracker.positions.status IS
  'pending until the first fill, open while anything is held, closed, void where no fill came';
COMMENT ON COLUMN tracker.positions.cost IS 'of what is held, without fees';
COMMENT ON COLUMN tracker.positions.realised_pnl IS 'gross of fees';
COMMENT ON COLUMN tracker.positions.last_price IS 'last close of the symbol''s finest bars';

CREATE TABLE tracker.trade_logs (
  trade_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  account text NOT NULL,
  strategy text NOT NULL,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  decided_at timestamptz NOT NULL,
  signal_id bigint REFERENCES tracker.signals,
  config_hash text NOT NULL,
  rules_hash text NOT NULL,
  side text NOT NULL CHECK (side IN ('long', 'short')),
  entry_time timestamptz NOT NULL,
  exit_time timestamptz NOT NULL,
  entry_price numeric NOT NULL,
  exit_price numeric NOT NULL,
  quantity numeric NOT NULL CHECK (quantity > 0),
  gross_pnl numeric NOT NULL,
  fees numeric NOT NULL,
  pnl numeric NOT NULL,
  stop_loss_price numeric NOT NULL,
  take_profit_price numeric NOT NULL,
  exit_reason text NOT NULL CHECK (exit_reason IN ('stop', 'trailing', 'target', 'timeout')),
  mae float8 NOT NULL,
  mfe float8 NOT NULL,
  UNIQUE (account, strategy, symbol_id, decided_at),
  FOREIGN KEY (account, strategy, symbol_id, decided_at)
    REFERENCES tracker.positions (account, strategy, symbol_id, decided_at),
  CHECK (exit_time >= entry_time),
  CHECK (pnl = gross_pnl - fees)
);
CREATE INDEX trade_logs_by_exit ON tracker.trade_logs (exit_time);
SELECT tracker.written_by('tracker.trade_logs', 'paper_trader');
COMMENT ON COLUMN tracker.trade_logs.entry_price IS 'average of all buys, as exit_price of all sells';
COMMENT ON COLUMN tracker.trade_logs.mae IS 'worst price seen while held, as a fraction of the average entry';
COMMENT ON COLUMN tracker.trade_logs.mfe IS 'best price seen while held, as a fraction of the average entry';

CREATE TABLE tracker.equity_curve (
  account text NOT NULL REFERENCES tracker.accounts,
  ts timestamptz NOT NULL,
  cash numeric NOT NULL,
  positions_value numeric NOT NULL,
  equity numeric NOT NULL,
  realised_pnl numeric NOT NULL,
  unrealised_pnl numeric NOT NULL,
  fees numeric NOT NULL,
  open_positions smallint NOT NULL,
  PRIMARY KEY (account, ts),
  CHECK (equity = cash + positions_value)
);
SELECT tracker.written_by('tracker.equity_curve', 'paper_trader');

CREATE TABLE tracker.paper_cursor (
  account text PRIMARY KEY REFERENCES tracker.accounts,
  started_at timestamptz NOT NULL,
  processed_through timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
SELECT tracker.written_by('tracker.paper_cursor', 'paper_trader');
COMMENT ON COLUMN tracker.paper_cursor.processed_through IS
  'every bar that closes and every signal decided at or before this moment has been acted on';

-- migrate:down
DROP TABLE tracker.paper_cursor;
DROP TABLE tracker.equity_curve;
DROP TABLE tracker.trade_logs;
DROP TABLE tracker.positions;
DROP TABLE tracker.fills;
DROP TABLE tracker.orders;
DROP TABLE tracker.accounts;
