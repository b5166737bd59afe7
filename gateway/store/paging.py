"""Pages of sorted sets whose members begin with a sortable id, newest first."""

from collections.abc import Callable

from gateway.store.access import Access

STEP = 500
"""Members read at once."""
MOST_STEPS = 20
"""A page looks at so many steps at most: a rare filter gives a short page with a cursor rather than a slow answer."""


async def newest(
    access: Access, key: str, *, after: str | None, limit: int, wanted: Callable[[str], bool]
) -> tuple[list[str], str | None]:
    """Up to `limit` members that are wanted and lie before `after`, newest first; and, when the search ended early,
    the last id that was looked at (None: everything was looked at, or the limit was reached).

    Ids end at the first `|` of a member, or with it.
    """
    found: list[str] = []
    bound = "+" if after is None else f"({after}"
    for _ in range(MOST_STEPS):
        size = STEP if limit > STEP else max(limit, 50)
        reply = await access.commands.run("ZREVRANGEBYLEX", key, bound, "-", "LIMIT", 0, size)
        members = [member.decode() for member in reply]
        for member in members:
            if wanted(member):
                found.append(member)
                if len(found) == limit:
                    return found, None
        if len(members) < size:
            return found, None
        bound = f"({members[-1]}"
    return found, id_of(members[-1])


def id_of(member: str) -> str:
    """The id that a member begins with."""
    return member.partition("|")[0]
