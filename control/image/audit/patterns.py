r"""What the audit looks for: expressions, and how each is looked for quickly.

Python searches for letters that are written so and not otherwise many times faster than for
anything else, so each expression begins with such: `ecret` for Secret and secret, and what must not
stand before a match is asked for behind its first letters. Each is bounded, none is longer than
LONGEST, and none looks further back than BEFORE.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from image.audit import keys, passwords, tokens

LONGEST = 4096
BEFORE = 16


class Pattern(NamedTuple):
    """`kind` says what was found. `in_run`: every match begins in a run of at least `runs.LEAST`
    characters of which keys and tokens are made, and is only looked for in such. `settings`: only
    looked for where people keep settings, for programs' own sources are full of it.
    """

    kind: str
    expression: re.Pattern[bytes]
    in_run: bool = False
    settings: bool = False


PATTERNS: tuple[Pattern, ...] = (
    *(
        Pattern(kind, re.compile(expression, re.DOTALL), in_run=True)
        for kind, expression in keys.IN_RUNS + tokens.IN_RUNS + passwords.IN_RUNS
    ),
    *(
        Pattern(kind, re.compile(expression, re.DOTALL))
        for kind, expression in keys.ANYWHERE + passwords.ANYWHERE
    ),
    *(
        Pattern(kind, re.compile(expression), in_run=True, settings=True)
        for kind, expression in keys.IN_RUNS_OF_SETTINGS
    ),
    *(
        Pattern(kind, re.compile(expression), settings=True)
        for kind, expression in keys.IN_SETTINGS + passwords.IN_SETTINGS
    ),
)
# What a program writes for itself, and what is no secret by being like all others.
EVERYWHERE = tuple(pattern for pattern in PATTERNS if not pattern.settings)
