"""What the command line offers, read from the commands themselves."""

from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli import app


def options_of(*words: str) -> set[str]:
    """Every option of a command, `options_of("dead-letters", "list")`; raises KeyError when there is none such."""
    command = get_command(app)
    for word in words:
        if not isinstance(command, TyperGroup):
            raise KeyError(word)
        command = command.commands[word]
    return {option for parameter in command.params for option in parameter.opts}
