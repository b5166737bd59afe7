"""All that meets Apple and Google: credentials, the HTTP/2 wire, and what their answers mean.

One sender per app. `open_senders` opens them all, `check_credentials` tests an app's files without any network.
"""

from gateway.providers.credentials import check_credentials
from gateway.providers.sender import Sender, SenderHealth
from gateway.providers.senders import open_senders

__all__ = ["Sender", "SenderHealth", "check_credentials", "open_senders"]
