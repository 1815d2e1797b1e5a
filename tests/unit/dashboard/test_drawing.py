"""The container as a drawing."""

from pathlib import Path

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.containers.report import Record, Report
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.http.dashboard.drawing import HEIGHT, WIDTH, draw


def _report(**needs: tuple[str, ...]) -> Report:
    return Report(services=[Record(name=name, needs=list(own)) for name, own in needs.items()])


def test_the_sixteen_are_drawn_and_their_engines_beside_them(tmp_path: Path) -> None:
    container = ApplicationContainer(settings=Singleton(SettingsService, profile="test", data_dir=tmp_path))
    drawing = draw(container.report)
    assert {box.record.name for box in drawing.boxes} == {str(one) for one in ServiceType}
    assert {one.name for one in drawing.engines} >= {"keyring", "redactor", "workers"}
    for box in drawing.boxes:
        assert 0 <= box.x <= box.x + WIDTH <= drawing.width
        assert 0 <= box.y <= box.y + HEIGHT <= drawing.height


def test_no_two_services_lie_on_each_other_and_each_is_right_of_what_it_needs(tmp_path: Path) -> None:
    container = ApplicationContainer(settings=Singleton(SettingsService, profile="test", data_dir=tmp_path))
    drawing = draw(container.report)
    places = {box.record.name: (box.x, box.y) for box in drawing.boxes}
    assert len(set(places.values())) == len(places)
    rows: dict[float, list[float]] = {}
    for x, y in places.values():
        rows.setdefault(x, []).append(y)
    assert all(b - a >= HEIGHT for ys in rows.values() for a, b in zip(sorted(ys), sorted(ys)[1:], strict=False))
    assert all(places[line.source][0] < places[line.target][0] for line in drawing.lines)


def test_a_need_by_way_of_an_engine_is_a_line_and_one_that_follows_from_others_is_marked() -> None:
    report = _report(settings=(), keyring=("settings",), telemetry=("settings",), auth=("keyring", "telemetry"))
    lines = {(line.source, line.target): line.implied for line in draw(report).lines}
    assert lines == {("settings", "telemetry"): False, ("settings", "auth"): True, ("telemetry", "auth"): False}


def test_services_of_the_application_are_drawn_too() -> None:
    drawing = draw(_report(settings=(), billing=("settings",)))
    assert [box.record.name for box in drawing.boxes] == ["settings", "billing"]
    assert drawing.engines == []


def test_nothing_is_a_drawing_too() -> None:
    assert draw(Report()).boxes == []
