"""Simulation-based calibration: do posteriors of simulated studies hold the parameters that made them as often as they say?"""
