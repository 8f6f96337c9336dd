"""Who may import whom; `make contracts` shows the broken chains of the layers in full."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from edgerouter.middleware import TABLE

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = [path.name for path in sorted((ROOT / "providers").iterdir()) if path.is_dir()]
OPEN_TO_PROVIDERS = (
    "edgerouter.config",
    "edgerouter.provider",
    "edgerouter.gotemplate",
    "edgerouter.tls.sessions",
)
PARSERS = {
    "edgerouter.control.admin",
    "edgerouter.proxy.downstream.parser",
    "edgerouter.proxy.upstream.h1",
}
"""The only modules that know aiohttp; its parsers are not a public interface."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "edgerouter", *PROVIDERS, include_external_packages=True, cache_dir=None
    )


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_layers_and_forbidden_imports() -> None:
    # A process of its own: it configures the logging of the process that it runs in.
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("provider", PROVIDERS)
def test_provider_uses_the_provider_interface_only(graph: grimp.ImportGraph, provider: str) -> None:
    modules = {provider, *graph.find_descendants(provider)}
    imported = {
        name for module in modules for name in graph.find_modules_directly_imported_by(module)
    }
    ours = {name for name in imported if within(name, ("edgerouter", *PROVIDERS))}
    assert {name for name in ours if not within(name, (*OPEN_TO_PROVIDERS, provider))} == set()


def test_the_core_imports_no_provider(graph: grimp.ImportGraph) -> None:
    core = {"edgerouter", *graph.find_descendants("edgerouter")}
    for module in core:
        imported = graph.find_modules_directly_imported_by(module)
        assert not [name for name in imported if within(name, tuple(PROVIDERS))], module


def test_aiohttp_is_fenced(graph: grimp.ImportGraph) -> None:
    assert graph.find_modules_that_directly_import("aiohttp") <= PARSERS


def test_middlewares_do_not_know_each_other(graph: grimp.ImportGraph) -> None:
    """What several need is in `base`, or in a module that is no middleware itself."""
    members = {f"edgerouter.middleware.{module}" for module in TABLE.values()}
    for module in members:
        assert not graph.find_modules_directly_imported_by(module) & members, module


def test_a_worker_loads_only_what_it_needs() -> None:
    """Workers start quickly and stay small, and have no way to the Docker socket."""
    program = (
        "import sys\n"
        "from edgerouter.worker.__main__ import load\n"
        "load()\n"
        "unwanted = {'docker', 'pydantic', 'requests', 'acme', 'cryptography', 'yaml',"
        " 'aiohttp.web', 'aiohttp.client'}\n"
        "loaded = unwanted & set(sys.modules)\n"
        "sys.exit(f'a worker loads {sorted(loaded)}' if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
