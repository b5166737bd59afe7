"""What things are: events, presence, devices, pushes, decisions, outcomes. No I/O and no clock.

Times are integers: milliseconds since the Unix epoch, UTC (`Millis`).
"""
