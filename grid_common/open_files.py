"""How many connections the system's limit on open files leaves room for."""

import resource

__all__ = ["TooFewFiles", "make_room"]

# Files that a service has open beside those of its callers: its door, its log, its polls.
_OTHER_FILES = 100
# A vehicle takes two: to its caller, and to the next hop. A service that accepts callers until it
# has no file left can send no vehicle on.
_FILES_EACH = 2


class TooFewFiles(RuntimeError):
    """A service cannot do its work with so few open files; the message says how many it needs."""


def make_room(*, least: int, wanted: int) -> int:
    """Have as many files open as connections need, where that is allowed; return how many fit.

    Args:
        least: fewest connections that are of use.
        wanted: most connections.

    Raises:
        TooFewFiles: not even the fewest fit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = all_files = _files(wanted)
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    needed = min(_files(least), all_files)
    if files < needed:
        raise TooFewFiles(
            f"only {files} files may be open here, and at least {needed} are needed, "
            f"{all_files} for MAX_CONNECTIONS={wanted}. Allow them with `ulimit -n {all_files}` "
            "(with Docker: ulimits.nofile)"
        )
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return min(wanted, (files - _OTHER_FILES) // _FILES_EACH)


def _files(connections: int) -> int:
    return _FILES_EACH * connections + _OTHER_FILES
