"""The PBX push gateway: telephone events in, push notifications out, and a reason for each decision."""

__version__ = "0.1.0"
