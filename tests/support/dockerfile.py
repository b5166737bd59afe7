"""Reads a Dockerfile as far as ours goes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its stage (0: the first FROM)."""

    stage: int
    name: str
    text: str

    def words(self) -> list[str]:
        """The JSON form of CMD and ENTRYPOINT, else the words."""
        return list(json.loads(self.text)) if self.text.startswith("[") else self.text.split()


def read_dockerfile(file: Path) -> list[Instruction]:
    """Every instruction in order; continuation lines joined, comments dropped."""
    text = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
    stage, instructions = -1, []
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.fullmatch(r"([A-Z]+)\s+(.*?)\s*", line):
            stage += match[1] == "FROM"
            instructions.append(Instruction(stage, match[1], match[2]))
    return instructions
