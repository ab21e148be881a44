"""One path for what Personalizer's versions call by several.

    /personalizer/v1.0/rank, /personalizer/v1.1-preview.3/rank, /personalizer/rank?api-version=...

are one route. The versions differ in what was added, not in what was there.
"""

import re

PREFIX = "/personalizer/"
SINGLE = f"{PREFIX}v1.0/"
MULTI_SLOT = f"{PREFIX}v1.1-preview.3/"

_VERSIONED = re.compile(r"(?:v1\.0|v1\.1-preview\.[123])/(.*)", re.DOTALL)


def canonical(path: str) -> str:
    """The path that the route is known by.

    Args:
        path: Begins with `PREFIX`.

    Example:
        >>> canonical("/personalizer/v1.1-preview.1/multislot/rank")
        '/personalizer/v1.1-preview.3/multislot/rank'
        >>> canonical("/personalizer/rank")
        '/personalizer/v1.0/rank'
    """
    rest = path.removeprefix(PREFIX)
    versioned = _VERSIONED.fullmatch(rest)
    rest = versioned[1] if versioned else rest
    return (MULTI_SLOT if rest.startswith("multislot/") else SINGLE) + rest
