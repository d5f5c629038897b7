"""Instruments: functions from networks and data to numbers."""
