"""docs/logs.md: the fields of the access log, and its example."""

import re
from pathlib import Path

from edgerouter.config.loader import load_static
from edgerouter.observability.access_format import JSON_FIELDS

PAGE = (Path(__file__).resolve().parents[3] / "docs/logs.md").read_text()


def test_every_field_of_a_json_line_stands_there_once() -> None:
    rows = re.findall(r"^\| (`.*?`) \| .*$", PAGE, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(names) == sorted(JSON_FIELDS)


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    found = re.search(r"^```yaml\n(accessLog:.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    file = tmp_path / "edgerouter.yml"
    file.write_text(found[1])
    loaded = load_static([f"--configFile={file}"], {})
    assert loaded.warnings == []
    access_log = loaded.configuration.access_log
    assert access_log is not None
    assert access_log.filters.status_codes == ["400-599"]
    assert access_log.fields_.headers.names == {"User-Agent": "keep", "Authorization": "redact"}
