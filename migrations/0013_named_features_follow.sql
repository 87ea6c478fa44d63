-- migrate:up
-- The view of named columns follows the set that the calculator writes: a new set needs no migration. Nothing may be
-- built on the view, whose columns change with the set; older sets stay readable as arrays by feature_sets.names.
CREATE FUNCTION tracker.name_features(chosen smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_set tracker.feature_sets;
  columns text;
BEGIN
  SELECT * INTO STRICT of_set FROM tracker.feature_sets WHERE feature_set = chosen;
  IF obj_description(to_regclass('tracker.ml_features_named'), 'pg_class') = of_set.hash THEN
    RETURN;
  END IF;
  SELECT string_agg(format('f.values[%s] AS %I', place, name), ', ' ORDER BY place) INTO STRICT columns
  FROM unnest(of_set.names) WITH ORDINALITY AS named(name, place);
  DROP VIEW IF EXISTS tracker.ml_features_named;
  EXECUTE format(
    'CREATE VIEW tracker.ml_features_named WITH (security_invoker = true) AS '
    'SELECT f.symbol_id, f.timeframe, f.ts, f.computed_at, %s FROM tracker.ml_features f WHERE f.feature_set = %s',
    columns, chosen
  );
  EXECUTE format('COMMENT ON VIEW tracker.ml_features_named IS %L', of_set.hash);
  GRANT SELECT ON tracker.ml_features_named TO tracker_reader;
END
$$;
REVOKE ALL ON FUNCTION tracker.name_features(smallint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tracker.name_features(smallint) TO tracker_feature_calculator;

-- migrate:down
DROP FUNCTION tracker.name_features(smallint);
DROP VIEW tracker.ml_features_named;
CREATE VIEW tracker.ml_features_named WITH (security_invoker = true) AS
SELECT
  f.symbol_id,
  f.timeframe,
  f.ts,
  f.computed_at,
  f.values[1] AS ema_9_distance,
  f.values[2] AS ema_21_distance,
  f.values[3] AS ema_50_distance,
  f.values[4] AS ema_100_distance,
  f.values[5] AS ema_9_21_spread,
  f.values[6] AS adx_14,
  f.values[7] AS plus_di_14,
  f.values[8] AS minus_di_14,
  f.values[9] AS macd_hist_pct,
  f.values[10] AS aroon_osc_25,
  f.values[11] AS linreg_48_position,
  f.values[12] AS linreg_48_slope_pct,
  f.values[13] AS linreg_48_r2,
  f.values[14] AS linreg_48_half_width_pct,
  f.values[15] AS rsi_14,
  f.values[16] AS stoch_k_14,
  f.values[17] AS stoch_d_14,
  f.values[18] AS willr_14,
  f.values[19] AS cci_20,
  f.values[20] AS mfi_14,
  f.values[21] AS roc_12,
  f.values[22] AS log_return_1,
  f.values[23] AS log_return_4,
  f.values[24] AS log_return_16,
  f.values[25] AS natr_14,
  f.values[26] AS range_to_atr,
  f.values[27] AS realised_vol_20,
  f.values[28] AS bb_20_width,
  f.values[29] AS bb_20_percent_b,
  f.values[30] AS donchian_20_position,
  f.values[31] AS breakout_20_distance,
  f.values[32] AS drawdown_96,
  f.values[33] AS body_share,
  f.values[34] AS upper_wick_share,
  f.values[35] AS lower_wick_share,
  f.values[36] AS volume_ratio_20,
  f.values[37] AS volume_trend_20_96,
  f.values[38] AS obv_slope_20
FROM tracker.ml_features f
WHERE f.feature_set = (SELECT s.feature_set FROM tracker.feature_sets s WHERE s.hash = 'd17924dec9272d1f');
GRANT SELECT ON tracker.ml_features_named TO tracker_reader;
