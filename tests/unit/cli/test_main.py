"""The program as users start it: exit statuses, messages, help, speed."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgerouter.cli import COMMANDS, command, main
from edgerouter.config.options import OptionTree
from edgerouter.provider import installed_providers


def start(folder: Path, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgerouter", *argv],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize(
    ("argv", "environ", "file", "message"),
    [
        (
            ("--entrypoints.web.adress=:80",),
            {},
            "",
            'command line, --entrypoints.web.adress: unknown option "adress"',
        ),
        (("run", "--log.level=loud"), {}, "", "command line, --log.level: expected one of"),
        ((), {"TRAEFIK_LGO": "1"}, "", 'environment, TRAEFIK_LGO: unknown option "lgo"'),
        ((), {}, "lgo: 1", 'traefik.yml, lgo: unknown option "lgo"; did you mean "log"?'),
        (("halthcheck",), {}, "", 'unknown command "halthcheck"; did you mean "healthcheck"?'),
    ],
)
def test_wrong_use_ends_with_status_2(
    argv: tuple[str, ...], environ: dict[str, str], file: str, message: str, tmp_path: Path
) -> None:
    if file:
        (tmp_path / "traefik.yml").write_text(file)
    result = start(tmp_path, *argv, **environ)
    assert result.returncode == 2
    assert result.stderr.startswith("edgerouter: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("level", ["", "ERROR", "WARN"])
def test_an_option_without_effect_is_named_once_at_every_log_level(
    level: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        result = start(
            tmp_path,
            f"--entrypoints.web.address={address}",
            "--hostresolver.cnameflattening",
            f"--log.level={level}",
        )
    assert result.returncode == 1
    assert (result.stderr + result.stdout).count("--hostresolver.cnameflattening") == 1


def test_help_lists_commands_and_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"], {}) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name:<12} {command(name).SUMMARY}" in text
    paths = [path for path, _ in OptionTree(installed_providers()).walk()]
    assert len(paths) > 300
    assert [path for path in paths if f"  --{path} (" not in text] == []
    assert "--entryPoints.<name>.http.maxHeaderBytes (int, default 1048576)" in text
    assert "--entryPoints.<name>.transport.lifeCycle.graceTimeOut (duration, default 10s)" in text
    assert "--api.dashboard (bool, default true)" in text


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_of_a_command(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, flag], {}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{name}: {command(name).SUMMARY}"
    assert lines[2] == f"Usage: {command(name).USAGE}"


def test_small_commands_load_nothing_big(tmp_path: Path) -> None:
    code = (
        "import sys; from edgerouter.cli import main; main(['version'], {});"
        "print(sorted({'pydantic', 'aiohttp', 'asyncio', 'docker', 'yaml'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_help_may_be_cut_short(tmp_path: Path) -> None:
    command = f"{sys.executable} -m edgerouter --help | head -n 1"
    result = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout.startswith("run: ")
    assert result.stderr == ""
