"""How models are made and judged: folds in time, calibration, training, and the gate. Pure but for XGBoost itself."""
