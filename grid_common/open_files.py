"""How many connections fit into the system's limit on open files."""

import resource

# Files that a service has open besides those of its callers: listening socket, log, polls.
_OTHER_FILES = 100
# A vehicle takes two: one for its caller, one for the next hop. A service that used all files for
# callers could forward no vehicle.
_FILES_EACH = 2


class TooFewFiles(RuntimeError):
    """The limit on open files is too low for the service; the message says how many it needs."""


def make_room(*, least: int, wanted: int) -> int:
    """Raise the limit on open files for as many connections as are wanted and the system allows.

    Returns:
        How many connections fit.

    Raises:
        TooFewFiles: not even the least number fits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = all_files = _files(wanted)
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    needed = min(_files(least), all_files)
    if files < needed:
        raise TooFewFiles(
            f"the limit on open files is {files}, and at least {needed} are needed, "
            f"{all_files} for MAX_CONNECTIONS={wanted}. Raise it with `ulimit -n {all_files}` "
            "(with Docker: ulimits.nofile)"
        )
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return min(wanted, (files - _OTHER_FILES) // _FILES_EACH)


def _files(connections: int) -> int:
    return _FILES_EACH * connections + _OTHER_FILES
