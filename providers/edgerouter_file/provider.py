"""The file provider: one file or a directory of them, loaded again when they change.

Events only say "look again": every look reads all files and loads those whose
text changed. A file that breaks keeps its own last good content in force.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel
from watchfiles import awatch

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.document import EXTENSIONS
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.provider import ProviderContext
from edgerouter_file.combine import combine
from edgerouter_file.load import Loaded, find_files, load_text, unreadable
from edgerouter_file.options import Options as FileOptions

log = logging.getLogger(__name__)

LOOK_INTERVAL = 5.0
"""Seconds between two looks without an event: some changes (a bind-mounted file, a network
file system) cause none."""
_QUIET = 20
_LONGEST_BURST = 200
"""Milliseconds without a change that end a burst of changes, and its longest duration."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file: the text that was seen, and what is in force of it."""

    text: str | None
    good: DynamicConfiguration | None
    diagnostics: tuple[Diagnostic, ...]


class FileProvider:
    """Routes from YAML and TOML files."""

    Options: ClassVar[type[BaseModel]] = FileOptions

    def __init__(self, name: str, options: FileOptions) -> None:
        """Keep the options.

        Raises:
            ValueError: Not exactly one of ``filename`` and ``directory`` is set, or the file's
                extension is unknown.
        """
        if bool(options.filename) == bool(options.directory):
            raise ValueError(f"providers.{name}: set either filename or directory")
        if options.filename and Path(options.filename).suffix.lower() not in EXTENSIONS:
            raise ValueError(
                f'providers.{name}.filename: "{options.filename}" has an unknown extension;'
                " use .yml, .yaml or .toml"
            )
        self._name = name
        self._options = options
        self._root = Path(options.filename or options.directory).absolute()
        self._files: dict[Path, _File] = {}
        self._root_problem: tuple[Diagnostic, ...] = ()
        self._faultless = DynamicConfiguration()
        self._again = asyncio.Event()

    def reload(self) -> None:
        """Read everything again, changed or not."""
        self._files = {
            path: _File(None, file.good, file.diagnostics) for path, file in self._files.items()
        }
        self._again.set()

    async def run(self, context: ProviderContext) -> None:
        """Load, publish, and with ``watch`` do so again at every change, until cancelled."""
        await self._look(context, always=True)
        while True:
            self._again.clear()
            if self._options.watch:
                await self._watch(context)
            else:
                await self._again.wait()
            await self._look(context)

    async def _watch(self, context: ProviderContext) -> None:
        """Look at every change until the set of watched places changes or a reload is asked."""
        places = await asyncio.to_thread(self._places)
        if not places:
            await _wait(self._again, LOOK_INTERVAL)
            return
        changes = awatch(
            *places,
            watch_filter=None,
            step=_QUIET,
            debounce=_LONGEST_BURST,
            rust_timeout=round(LOOK_INTERVAL * 1000),
            yield_on_timeout=True,
            stop_event=self._again,
            recursive=bool(self._options.directory),
            ignore_permission_denied=True,
        )
        pending = asyncio.ensure_future(anext(changes, None))
        try:
            # The first step of the iteration sets up the watch; what changed before is looked
            # at now, what changes from now on is told.
            await asyncio.sleep(0)
            while True:
                await self._look(context)
                if await asyncio.to_thread(self._places) != places or await pending is None:
                    return
                pending = asyncio.ensure_future(anext(changes, None))
        except FileNotFoundError:
            await _wait(self._again, LOOK_INTERVAL)
        finally:
            pending.cancel("the watch ends")
            await asyncio.gather(pending, return_exceptions=True)
            await changes.aclose()

    def _places(self) -> set[Path]:
        """Return the directories to watch: of the files, and of what they are links to."""
        root = self._root if self._options.directory else self._root.parent
        places = {root}
        for path in self._files:
            places.add(path.resolve().parent)
        return {place for place in places if place.is_dir()}

    async def _look(self, context: ProviderContext, *, always: bool = False) -> None:
        before = (self._files, self._root_problem)
        await asyncio.to_thread(self._read)
        if always or before != (self._files, self._root_problem):
            self._publish(context)

    def _publish(self, context: ProviderContext) -> None:
        parts = [file.good for file in self._files.values() if file.good is not None]
        configuration, duplicates = combine(parts, provider=self._name)
        found = [d for file in self._files.values() for d in file.diagnostics]
        found = [*self._root_problem, *found]
        if self._options.compat == "traefik":
            # One mistake, and nothing of what is new counts.
            if any(diagnostic.severity == "error" for diagnostic in found):
                configuration = self._faultless
            self._faultless = configuration
        context.publish(configuration, [*found, *duplicates])

    # Reading; this runs in a thread.

    def _read(self) -> None:
        self._root_problem = ()
        paths = [self._root]
        if self._options.directory:
            try:
                paths = find_files(self._root, EXTENSIONS)
            except OSError as error:
                kept = "; its last good content stays in force" if self._files else ""
                message = f"the directory cannot be read: {error.strerror}{kept}"
                self._root_problem = (Diagnostic("error", message, self._name, str(self._root)),)
                return
        self._files = {path: self._file(path) for path in paths}

    def _file(self, path: Path) -> _File:
        known = self._files.get(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return _kept(known, None, unreadable(path, error, provider=self._name))
        if known is not None and known.text == text:
            return known
        loaded = load_text(
            text,
            path,
            provider=self._name,
            log_template=self._options.debug_log_generated_template,
            as_traefik=self._options.compat == "traefik",
        )
        if loaded.is_good or known is None or known.good is None:
            return _File(text, loaded.configuration, loaded.diagnostics)
        return _kept(known, text, loaded)


def _kept(known: _File | None, text: str | None, loaded: Loaded) -> _File:
    """Return a broken file with what is still in force of it."""
    if known is None or known.good is None:
        return _File(text, None, loaded.diagnostics)
    kept = "the last good content of the file stays in force"
    diagnostics = tuple(
        Diagnostic(d.severity, f"{d.message}; {kept}", d.provider, d.source, d.key)
        for d in loaded.diagnostics
    )
    return _File(text, known.good, diagnostics)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
