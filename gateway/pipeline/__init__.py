"""The two sentences of the product: `intake` (an event is decided, stored), `delivery` (a push is sent, settled)."""
