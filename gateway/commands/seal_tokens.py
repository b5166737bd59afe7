"""`push-gateway seal-tokens`: every token in the store under the first key of `store.token_keys`."""

from gateway.bootstrap import clock
from gateway.commands.printing import console
from gateway.domain.errors import ConfigurationError, Problem
from gateway.settings import Settings
from gateway.store import seal_tokens


async def seal(settings: Settings) -> bool:
    """Seal what is not, and say how much that was. False: some tokens cannot be opened.

    Raises `ConfigurationError` without a key, `StoreUnavailable`.
    """
    if not settings.store.token_keys:
        raise ConfigurationError(Problem(loc="store.token_keys", msg="there is no key to seal tokens with"))
    done = await seal_tokens(settings.store, clock=clock)
    key = settings.store.token_keys[0].id
    console().print(
        f"{done.anew} tokens sealed with {key} now, {done.already} were already, {done.unreadable} cannot be opened.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return not done.unreadable
