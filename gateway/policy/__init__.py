"""What to do about an event: pure functions from facts to decisions, and from decisions to what they change."""
