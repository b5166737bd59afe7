"""Texts that every dialect has: extensions, ids, numbers and names, with the lengths that the gateway takes."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

EXTENSION_PATTERN = r"^[0-9A-Za-z*#+._@-]{1,64}$"
"""What an extension may look like, wherever one is named: events, routes, settings."""

Extension: TypeAlias = Annotated[str, StringConstraints(pattern=EXTENSION_PATTERN)]
"""Number (or name) of a PBX user: 1 to 64 characters, no blanks."""

Identifier: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,256}$")]
"""An id that a PBX gave: 1 to 256 characters, none of them a control character. Kept as it came."""

Number: TypeAlias = Annotated[str, StringConstraints(max_length=64)]
"""A caller's number as it came; may be empty. Cleaned before it is shown."""

DisplayName: TypeAlias = Annotated[str, StringConstraints(max_length=4096)]
"""A caller's name as it came, hostile or not; may be empty. Cleaned and cut before it is shown."""

Word: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}$", strip_whitespace=True)]
"""A short text with a meaning, such as a presence status: 1 to 64 characters, blanks around it dropped."""
