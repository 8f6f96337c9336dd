"""Where what ACME resolvers keep is worked with, by what is mounted."""

import asyncio
from pathlib import Path

import pytest

from edgerouter.acme.files import write_json
from edgerouter.acme.place import Mount
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.certificates.places import Places

ROOT = Mount(Path("/"), "overlay")


def places(storage: Path, *mounts: Path) -> Places:
    acme = {"storage": str(storage), "tlsChallenge": {}}
    configuration = StaticConfiguration.model_validate(
        {"certificatesResolvers": {name: {"acme": acme} for name in ("a", "b")}}
    )
    made = Places(configuration, [ROOT, *(Mount(path, "ext4") for path in mounts)])
    made.open()
    made.restore(str(storage))
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.json"
    path.touch(0o600)
    return path


def test_a_volume_is_used_as_it_is(tmp_path: Path, file: Path) -> None:
    made = places(file, tmp_path)
    assert made.problems() == []
    assert not made.is_single_file(str(file))
    assert made.directory(str(file)) == str(file)


def test_a_storage_that_is_lost_is_one_problem_of_all_its_resolvers(file: Path) -> None:
    (problem,) = places(file).problems()
    assert problem.severity == "error"
    assert problem.key == "certificatesResolvers.a.acme.storage"


async def test_a_mounted_file_has_a_directory_beside_it(tmp_path: Path, file: Path) -> None:
    made = places(file, file)
    assert made.problems() == []
    assert made.is_single_file(str(file))
    assert made.directory(str(file)) == str(tmp_path / "acme.json.d")
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    write_json(tmp_path / "acme.json.d/x.json", {})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "x.json" in file.read_text(), "at the end it is saved once more"
    assert (tmp_path / "acme.json.d").is_dir()


async def test_or_one_elsewhere_when_the_root_is_read_only(tmp_path: Path, file: Path) -> None:
    (tmp_path / "acme.json.d").touch()  # As little of a directory can be made there.
    made = places(file, file)
    directory = Path(made.directory(str(file)))
    assert directory.is_dir()
    assert directory.parent != tmp_path
    write_json(directory / "x.json", {})
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "x.json" in file.read_text()
    assert not directory.exists(), "keys are not left about"
    again = places(file, file)
    assert (Path(again.directory(str(file))) / "x.json").exists()


def test_a_file_that_cannot_be_written_is_a_problem_until_it_can(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = places(file, file)
    made.save()
    hidden = file.rename(tmp_path / "hidden")
    write_json(tmp_path / "acme.json.d/x.json", {})
    for _ in range(2):
        made.save()
    (problem,) = made.problems()
    assert "cannot be read or written (No such file or directory)" in problem.message
    assert [record.message for record in caplog.records] == [str(problem)]
    hidden.rename(file)
    made.save()
    assert made.problems() == []
