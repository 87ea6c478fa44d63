INSERT INTO tracker.orders
  (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity, reference_price,
   placed_at, ended_at, signal_id, config_hash, rules_hash)
  SELECT 'main', strategy, symbol_id, decided_at, 'entry', 'entry', 'buy', 'refused', 'no_cash', 'no cash', 0, 100,
    decided_at, decided_at, signal_id, config_hash, 'r'
  FROM tracker.signals;
