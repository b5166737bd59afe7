"""The two sentences of the product: `intake` (an event is decided and stored), `delivery` (a push is sent and settled)."""
