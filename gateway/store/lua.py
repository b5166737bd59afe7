"""The Lua scripts: each is one atomic step and says in its head what is atomic and why."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """A script with the digest that the server knows it by."""

    name: str
    source: str
    sha: str


def _load(name: str) -> Script:
    """`scripts/<name>.lua` with `scripts/shared.lua` put below its first line, which holds the flags."""
    folder = files("gateway.store") / "scripts"
    flags, _, body = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
    shared = (folder / "shared.lua").read_text("utf-8")
    source = f"{flags}\n{shared}\n{body}"
    return Script(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


FACTS = _load("facts")
COMMIT = _load("commit")
REGISTER = _load("register")
UNREGISTER = _load("unregister")
APPLY = _load("apply")
RELEASE = _load("release")
TAKE = _load("take")
RECLAIM = _load("reclaim")
LOAD = _load("load")
SETTLE = _load("settle")
DUE = _load("due")
RENEW = _load("renew")
FORGET = _load("forget")
DEPTH = _load("depth")
REPLAY = _load("replay")
DROP = _load("drop")
RECEIPT = _load("receipt")
HEARTBEAT = _load("heartbeat")
ERASE = _load("erase")
SEAL = _load("seal")
AGENT_TAKE = _load("agent_take")
AGENT_NOTE = _load("agent_note")

ALL = (
    FACTS,
    COMMIT,
    REGISTER,
    UNREGISTER,
    APPLY,
    RELEASE,
    TAKE,
    RECLAIM,
    LOAD,
    SETTLE,
    DUE,
    RENEW,
    FORGET,
    DEPTH,
    REPLAY,
    DROP,
    RECEIPT,
    HEARTBEAT,
    ERASE,
    SEAL,
    AGENT_TAKE,
    AGENT_NOTE,
)
