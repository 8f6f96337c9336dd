"""Which files this process has open."""

import contextlib
from pathlib import Path


def open_files(directory: Path) -> list[str]:
    """Return the files of a directory that are open here, those without a name as well."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # The descriptor of the listing itself.
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(directory))]
