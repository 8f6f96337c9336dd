"""`python -m bench [scenario ...]`: run scenarios, write the results and docs/benchmarks.md."""

import argparse
import importlib
from dataclasses import fields

from bench.builds import python_path
from bench.harness import Settings, say
from bench.report import Report
from bench.routers import CONTESTANTS

SCENARIOS = (
    "small_get",
    "many_routes",
    "download",
    "chain",
    "compress",
    "flood",
    "tls",
    "certificates",
    "basic_auth",
    "start",
    "swaps",
    "reload",
    "many_servers",
    "overload",
    "memory",
    "turnover",
    "recreate",
    "acme_restarts",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure edgerouter, Traefik, nginx."
    )
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--contestants", default=",".join(CONTESTANTS), help="names, by commas")
    for field in fields(Settings):
        if field.name != "contestants":
            kind = float if field.name == "seconds" else int
            option = f"--{field.name.replace('_', '-')}"
            parser.add_argument(option, type=kind, default=field.default)
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown scenario {', '.join(sorted(unknown))}; there are {SCENARIOS}")
    settings = Settings(
        contestants=arguments.contestants.split(","),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        swaps=arguments.swaps,
        table_swaps=arguments.table_swaps,
        containers=arguments.containers,
        recreations=arguments.recreations,
        restarts=arguments.restarts,
        certificates=arguments.certificates,
    )
    report = Report()
    python_path()  # Compiles, which no scenario is to measure.
    for name in arguments.scenarios or SCENARIOS:
        scenario = importlib.import_module(f"bench.{name}")
        say(f"{scenario.TITLE}")
        report.add(name, scenario.TITLE, scenario.TEXT, scenario.measure(settings), settings)
        report.write(SCENARIOS)


if __name__ == "__main__":
    main()
