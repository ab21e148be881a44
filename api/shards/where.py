"""Where to work on shards, from the word of a command line.

Where it stands: commands ask here, and hand what they get to the work.
"""

from contextlib import AbstractContextManager

from api.shards.base import MapShards, ShardError
from api.shards.local import Local, cores
from api.shards.ray import Ray

HELP = "Where: local (this machine's cores), ray, or ray://HOST:PORT."
WORKERS_HELP = "Processes; 0 for one a core."


def opened(on: str, processes: int = 0) -> AbstractContextManager[MapShards]:
    """The backend of that name, for a `with`.

    Args:
        on: `local`, `ray`, or `ray://HOST[:PORT]`.
        processes: At most, on this machine; 0 for one a core.

    Raises:
        ShardError: Another word; when it is entered, Ray is not installed or does not answer.

    Example:
        >>> with opened("local", 1) as map_shards:
        ...     list(map_shards(abs, [-1]))
        [1]
    """
    if on == "local":
        return Local(processes or cores())
    if on == "ray":
        return Ray(processes=processes or None)
    if on.startswith("ray://") and len(on) > len("ray://"):
        return Ray(on)
    raise ShardError(f"--on is {on}: must be local, ray, or ray://HOST:PORT")
