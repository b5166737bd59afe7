"""The main job on one machine: embedded store, simulator, gateway, two phones, and a script of real events."""
