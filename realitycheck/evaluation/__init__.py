"""Measuring a checkpoint: calibration, metrics with intervals, conditions, maps, the report."""
