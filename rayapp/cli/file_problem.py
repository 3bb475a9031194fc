"""What the operating system says of a place that cannot be read or written, as one line for whoever named it."""

from __future__ import annotations

import errno
import os
import re

REMEDIES = {
    errno.ENOSPC: "make room there, or name another place",
    errno.EDQUOT: "make room there, or name another place",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or name another place",
    errno.EROFS: "name a place that can be written",
    errno.EACCES: "name a place that this user may use, or change its owner",
    errno.EPERM: "name a place that this user may use, or change its owner",
    errno.ENOTDIR: "a part of the path is a file; name another place",
    errno.EISDIR: "it is a folder; name a file",
    errno.EEXIST: "it is there already and is no folder; name another place",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EIO: "the disk does not answer; look at the machine's log",
}


# Ray passes on what a worker raised as its traceback alone; Arrow says the number twice.
NUMBERED = re.compile(r"\[[Ee]rrno (\d+)\][^:\n]*(?:: '([^'\n]+)')?")


def problem_behind(error: Exception) -> str | None:
    """As `file_problem`, for an error that may have come out of a worker of Ray's."""
    if isinstance(error, OSError) and error.errno is not None:
        return file_problem(error)
    if not any(kind.__module__.startswith("ray.") for kind in type(error).__mro__):
        return None
    found = ((int(number), file or None) for number, file in NUMBERED.findall(str(error)))
    return next((file_problem(OSError(n, os.strerror(n), file)) for n, file in found if n in REMEDIES), None)


def file_problem(error: OSError) -> str | None:
    """What and where, and the remedy; None for an error that no place is behind."""
    remedy = REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    what = " ".join(str(error.strerror).split())  # of pyarrow it has a line for each layer
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{what}; {remedy}"
