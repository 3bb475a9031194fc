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


# Ray passes on what a worker raised as its traceback alone; Arrow says the number twice, safetensors at the end.
NUMBERED = re.compile(r"\[[Ee]rrno (\d+)\][^:\n]*(?:: '([^'\n]+)')?|while serializing.*\(os error (\d+)\)")
# torch, FAISS and NumPy keep the number to themselves.
UNNUMBERED = re.compile(
    r"inline_container|PytorchStreamWriter failed|in void faiss::write_index|\d requested and \d+ written"
)


def problem_behind(error: Exception) -> str | None:
    """As `file_problem`, for an error that may have come out of a worker of Ray's or a library's own writer."""
    if isinstance(error, OSError) and error.errno is not None:
        return file_problem(error)
    text = str(error)
    if any(kind.__module__.split(".")[0] in ("ray", "safetensors") for kind in type(error).__mro__):
        for number, file, rust in NUMBERED.findall(text):
            if int(number or rust) in REMEDIES:
                number = int(number or rust)
                return file_problem(OSError(number, os.strerror(number), file or None))
    if UNNUMBERED.search(text):
        return f"a file could not be written to its end; {REMEDIES[errno.ENOSPC]}"
    return None


def file_problem(error: OSError) -> str | None:
    """What and where, and the remedy; None for an error that no place is behind."""
    remedy = REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    what = " ".join(str(error.strerror).split())  # of pyarrow it has a line for each layer
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{what}; {remedy}"
