INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash) VALUES ('main', 'USD', 1, now(), 1);
INSERT INTO tracker.account_events (account, ts, kind, amount, outcome, note)
  VALUES ('main', now(), 'open', 1, 'done', 'opened');
INSERT INTO tracker.paper_cursor SELECT 'main', opened_at, closed_through FROM tracker.bar_watermarks
  WHERE timeframe = '1m';
INSERT INTO tracker.equity_curve (account, ts, cash, positions_value, equity, realised_pnl, unrealised_pnl, fees,
  open_positions) VALUES ('main', now() + interval '1 microsecond', 1, 0, 1, 0, 0, 0, 0);
