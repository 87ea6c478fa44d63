-- migrate:up
COMMENT ON COLUMN tracker.strategy_labels.net_return IS
  'of what the whole ladder would cost, after slippage and fees; gross_return is before fees';

-- migrate:down
COMMENT ON COLUMN tracker.strategy_labels.net_return IS
  'of what was paid, the whole ladder, after slippage and fees; gross_return is before fees';
