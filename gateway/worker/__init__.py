"""The loop that takes pushes from the queue and sees each to its end."""
