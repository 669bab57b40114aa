"""Whether a student's answers can be trusted: calibration, unknown, where it looked, fairness."""
