"""The report: as a table, as JSON, as a drawing."""

import msgspec
import pytest

from bedplate.containers import ApplicationContainer, Record, Report, ServiceContainer, Singleton, State
from bedplate.services.settings import SettingsService


@pytest.fixture
def report() -> Report:
    return Report(
        services=[
            Record(name="settings", backend="embedded", state=State.STARTED, start_ms=0.25),
            Record(
                name="cache", backend="disk", origin="environment BEDPLATE_CACHE__BACKEND", needs=["settings"],
                state=State.FAILED, required=False, start_ms=12.5, error='OSError: "full"',
            ),
            Record(name="end", origin="-", needs=["cache", "settings"], state=State.NOT_NEEDED),
        ],
        start_ms=13.6,
    )  # fmt: skip


def test_the_table_has_a_line_for_each_service(report: Report) -> None:
    assert report.table() == (
        "service   backend   why                                  needs            start ms  state\n"
        "--------  --------  -----------------------------------  ---------------  --------  -----------------------\n"
        "settings  embedded  only one                             -                     0.2  started\n"
        "cache     disk      environment BEDPLATE_CACHE__BACKEND  settings             12.5  "
        'failed: OSError: "full" (optional)\n'
        "end       -         -                                    cache, settings            not needed\n"
        "started in 14 ms"
    ).replace("-----------------------\n", "-" * len('failed: OSError: "full" (optional)') + "\n")


def test_the_report_survives_json(report: Report) -> None:
    assert msgspec.json.decode(report.json(), type=Report) == report


def test_the_drawing_is_a_mermaid_flowchart(report: Report) -> None:
    lines = report.mermaid().splitlines()
    assert lines[0] == "flowchart LR"
    assert '    s_cache["cache<br/>disk"]:::failed' in lines
    assert '    s_end["end"]:::not_needed' in lines  # "end" alone is a word of the language
    assert "    s_end --> s_cache" in lines


def test_a_record_is_found_by_name(report: Report) -> None:
    assert report["cache"].backend == "disk"
    assert report.degraded == ["cache"]
    with pytest.raises(KeyError):
        report["nothing"]


async def test_the_report_of_a_running_application(container: ApplicationContainer) -> None:
    report = container.report
    assert all(one.state is State.STARTED for one in report.services if one.state is not State.NOT_NEEDED)
    assert report["database"].backend == "sqlite"
    assert report["database"].origin
    assert {"settings", "telemetry"} <= set(report["database"].needs)
    assert report["database"].start_ms is not None
    assert report["database"].start_ms > 0
    assert report.start_ms is not None
    assert report.start_ms >= report["database"].start_ms
    names = [one.name for one in report.services]
    for record in report.services:
        assert all(names.index(need) < names.index(record.name) for need in record.needs)


def test_before_a_start_the_report_says_what_one_would_do() -> None:
    class Container(ServiceContainer):
        settings = Singleton(SettingsService)
        other = Singleton(dict, settings)

    container = Container()
    assert [(one.name, one.state) for one in container.report.services] == [
        ("settings", State.PLANNED),
        ("other", State.PLANNED),
    ]
