"""The file provider on a real directory."""

from pathlib import Path

import pytest

from edgerouter_file import FileProvider
from edgerouter_file.options import Options
from tests.support.recording_context import running


def router(name: str, rule: str = "") -> str:
    return f"http: {{routers: {{{name}: {{rule: '{rule or f'Host(`{name}`)'}', service: s}}}}}}\n"


def replace_file(path: Path, text: str) -> None:
    """Write as editors and configuration tools do: a new file, renamed over the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def provider(**options: object) -> FileProvider:
    return FileProvider("file", Options.model_validate(options))


@pytest.mark.parametrize(
    "options",
    [{}, {"filename": "/a.yml", "directory": "/b"}, {"filename": "/a.json"}],
)
def test_options_that_say_nothing_useful(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"providers\.file"):
        provider(**options)


async def test_changes_in_place_and_by_rename(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text(router("a"))
    async with running(provider(filename=str(path))) as context:
        await context.until(lambda c: c.newest.rules == {"a": "Host(`a`)"})
        path.write_text(router("b"))
        await context.until(lambda c: set(c.newest.rules) == {"b"})
        replace_file(path, router("c"))
        await context.until(lambda c: set(c.newest.rules) == {"c"})
        replace_file(path, "")
        await context.until(lambda c: c.newest.rules == {})


async def test_a_broken_file_keeps_its_last_good_content(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text(router("a"))
    async with running(provider(filename=str(path))) as context:
        await context.until(lambda c: "a" in c.newest.rules)
        for broken in ("http: ]\n", "http: {routers: {a: {rul: x}}}\n", "x: {{ nothing }}\n"):
            replace_file(path, broken)
            said = await context.until(lambda c, broken=broken: c.newest.diagnostics)
            assert said.rules == {"a": "Host(`a`)"}
            assert f"{path}:1" in said.texts()
            assert "the last good content of the file stays in force" in said.texts()
            replace_file(path, router("a"))
            await context.until(lambda c: not c.newest.diagnostics)
        path.unlink()
        said = await context.until(lambda c: c.newest.diagnostics)
        assert said.rules == {"a": "Host(`a`)"}
        assert "No such file" in said.texts()


@pytest.mark.parametrize("compat", ["", "traefik"])
async def test_a_root_that_nobody_knows_is_told_and_blocks_nothing(
    tmp_path: Path, compat: str
) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text(router("a"))
    async with running(provider(filename=str(path), compat=compat)) as context:
        await context.until(lambda c: "a" in c.newest.rules)
        replace_file(path, f"x-common: &c\n  foo: bar\n{router('b')}")
        said = await context.until(lambda c: "b" in c.newest.rules)
        (diagnostic,) = said.diagnostics
        assert diagnostic.severity == "warning"
        assert str(diagnostic).startswith(f'{path}:1, x-common: unknown section "x-common"; it is')


async def test_what_is_right_in_a_file_that_was_never_good(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text("http: {routers: {a: {rule: x, service: s}, b: {rul: x}}}\n")
    async with running(provider(filename=str(path))) as context:
        said = await context.until(lambda c: c.publications)
        assert set(said.rules) == {"a"}
        assert "b" in said.configuration.http.routers


async def test_a_file_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "later" / "dynamic.yml"
    path.parent.mkdir()
    async with running(provider(filename=str(path))) as context:
        said = await context.until(lambda c: c.publications)
        assert f"{path}: the file cannot be read: No such file" in said.texts()
        path.write_text(router("a"))
        said = await context.until(lambda c: "a" in c.newest.rules)
        assert said.diagnostics == ()


async def test_directory(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(router("a"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.toml").write_text(
        '[http.routers.b]\nrule = "Host(`b`)"\nservice = "s"\n'
    )
    async with running(provider(directory=str(tmp_path))) as context:
        await context.until(lambda c: set(c.newest.rules) == {"a", "b"})
        # A broken file keeps its own content only; the others go on changing.
        replace_file(tmp_path / "a.yml", "http: [")
        await context.until(lambda c: c.newest.diagnostics)
        replace_file(tmp_path / "sub" / "b.toml", '[http.routers.bb]\nrule = "Host(`b`)"\n')
        said = await context.until(lambda c: "bb" in c.newest.rules)
        assert set(said.rules) == {"a", "bb"}
        # New and removed files, below too.
        (tmp_path / "sub" / "deep").mkdir()
        (tmp_path / "sub" / "deep" / "c.yml").write_text(router("c"))
        await context.until(lambda c: "c" in c.newest.rules)
        (tmp_path / "a.yml").unlink()
        said = await context.until(lambda c: set(c.newest.rules) == {"bb", "c"})
        assert said.diagnostics == ()


async def test_as_traefik_one_mistake_rejects_everything(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(router("a"))
    broken = tmp_path / "b.yml"
    broken.write_text("http: {routers: {b: {rul: x}}}\n")
    async with running(provider(directory=str(tmp_path), compat="traefik")) as context:
        said = await context.until(lambda c: c.publications)
        assert said.rules == {}
        assert f"{broken}:1" in said.texts()
        replace_file(broken, router("b"))
        await context.until(lambda c: set(c.newest.rules) == {"a", "b"})
        replace_file(broken, "http: ]\n")
        replace_file(tmp_path / "a.yml", router("aa"))
        said = await context.until(lambda c: c.newest.diagnostics)
        assert set(said.rules) == {"a", "b"}


async def test_duplicates_are_reported(tmp_path: Path) -> None:
    (tmp_path / "1.yml").write_text(router("a", "Host(`1`)"))
    (tmp_path / "2.yml").write_text(router("a", "Host(`2`)"))
    async with running(provider(directory=str(tmp_path))) as context:
        said = await context.until(lambda c: c.publications)
        assert said.rules == {"a": "Host(`1`)"}
        assert f"{tmp_path}/2.yml, http.routers.a: already configured in" in said.texts()


async def test_kubernetes_swaps_a_link(tmp_path: Path) -> None:
    """A volume's files are links into ``..data``, itself a link that is replaced."""
    for number in ("1", "2"):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "dynamic.yml").write_text(router(f"v{number}"))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "dynamic.yml").symlink_to("..data/dynamic.yml")
    for options in ({"filename": str(tmp_path / "dynamic.yml")}, {"directory": str(tmp_path)}):
        async with running(provider(**options)) as context:
            await context.until(lambda c: set(c.newest.rules) == {"v1"})
            (tmp_path / "..new").symlink_to("..2")
            (tmp_path / "..new").replace(tmp_path / "..data")
            await context.until(lambda c: set(c.newest.rules) == {"v2"})
        (tmp_path / "..data").unlink()
        (tmp_path / "..data").symlink_to("..1")


async def test_a_link_to_a_file_elsewhere(tmp_path: Path) -> None:
    target = tmp_path / "data" / "real.yml"
    target.parent.mkdir()
    target.write_text(router("a"))
    link = tmp_path / "etc" / "dynamic.yml"
    link.parent.mkdir()
    link.symlink_to(target)
    async with running(provider(filename=str(link))) as context:
        await context.until(lambda c: "a" in c.newest.rules)
        replace_file(target, router("b"))
        await context.until(lambda c: "b" in c.newest.rules, timeout=4)


async def test_watch_off_waits_for_a_reload(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text(router("a"))
    files = provider(filename=str(path), watch=False)
    async with running(files) as context:
        await context.until(lambda c: "a" in c.newest.rules)
        path.write_text(router("b"))
        files.reload()
        await context.until(lambda c: "b" in c.newest.rules)


async def test_reload_reads_unchanged_templates_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text(router("a", 'Host(`{{ env "WHERE" }}`)'))
    monkeypatch.setenv("WHERE", "x")
    files = provider(filename=str(path))
    async with running(files) as context:
        await context.until(lambda c: c.newest.rules == {"a": "Host(`x`)"})
        monkeypatch.setenv("WHERE", "y")
        files.reload()
        await context.until(lambda c: c.newest.rules == {"a": "Host(`y`)"})


async def test_a_directory_that_goes_away(tmp_path: Path) -> None:
    directory = tmp_path / "conf"
    directory.mkdir()
    (directory / "a.yml").write_text(router("a"))
    files = provider(directory=str(directory))
    async with running(files) as context:
        await context.until(lambda c: "a" in c.newest.rules)
        directory.rename(tmp_path / "gone")
        files.reload()
        said = await context.until(lambda c: c.newest.diagnostics)
        assert said.rules == {"a": "Host(`a`)"}
        assert f"{directory}: the directory cannot be read" in said.texts()
        (tmp_path / "gone").rename(directory)
        files.reload()
        await context.until(lambda c: not c.newest.diagnostics)
