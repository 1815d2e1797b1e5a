"""Feature flags: typed, targeted, of one container, and never an error (SET-5)."""

import asyncio
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import openfeature.api
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.settings import SettingsError, SettingsService
from bedplate.services.settings.flag_provider import share_of
from bedplate.services.settings.flags import FlagProviderError
from bedplate.services.settings.reference import settings_in_use


class Somebody(NamedTuple):
    id: uuid.UUID
    username: str


ADA = Somebody(uuid.UUID(int=1), "ada")
BOB = Somebody(uuid.UUID(int=2), "bob")

TOML = """
[flags]
dark_mode = true
ratio = 2
greeting = "hello"
limits = { default = { a = 1, b = [2] } }

[flags.new-runner]
default = "old"
rules = [
    { users = ["ada"], value = "newest" },
    { users = ["00000000-0000-0000-0000-000000000002"], value = "new" },
]

[flags.half]
default = false
rules = [{ percentage = 50, value = true }]
"""


@pytest.fixture
def settings(folder: Path) -> SettingsService:
    (folder / "bedplate.toml").write_text(TOML)
    return SettingsService()


def test_each_type_is_read_as_such(settings: SettingsService) -> None:
    """SET-5"""
    flags = settings.flags
    assert flags.boolean("dark_mode") is True
    assert flags.string("greeting", "") == "hello"
    assert flags.integer("ratio", 0) == 2
    assert flags.number("ratio", 0) == 2.0
    assert flags.structure("limits", {}) == {"a": 1, "b": [2]}


@pytest.mark.parametrize("name", ["dark_mode", "ratio", "greeting", "limits", "no_such_flag", "", "\0", "new-runner"])
def test_the_default_answers_where_there_is_no_value_of_the_type(settings: SettingsService, name: str) -> None:
    """SET-5: no such flag, or one of another type; true is no number, and a number no truth. Nothing is raised."""
    flags = settings.flags
    kept = flags.boolean(name, True), flags.string(name, "d"), flags.integer(name, -1), flags.number(name, -1.5)
    kinds = {"dark_mode": 0, "greeting": 1, "new-runner": 1, "ratio": 2}
    expected: list[Any] = [True, "d", -1, -1.5]
    if (kind := kinds.get(name)) is not None:
        expected[kind] = {"dark_mode": True, "greeting": "hello", "new-runner": "old", "ratio": 2}[name]
    if name == "ratio":
        expected[3] = 2.0
    assert list(kept) == expected
    assert flags.structure(name, ["x"]) == ({"a": 1, "b": [2]} if name == "limits" else ["x"])


def test_users_are_targeted_by_id_and_by_name(settings: SettingsService) -> None:
    """SET-5"""
    flags = settings.flags
    assert flags.string("new-runner", "") == "old"
    assert flags.string("new-runner", "", user=ADA) == "newest"
    assert flags.string("new-runner", "", user=BOB) == "new"
    assert flags.string("new-runner", "", user=BOB.id) == "new"
    assert flags.string("new-runner", "", user="somebody else") == "old"
    details = flags.client.get_string_details("new-runner", "")
    assert (details.reason, details.variant) == (Reason.DEFAULT, "default")


def test_a_percentage_is_the_same_users_for_ever_and_grows_by_adding(folder: Path) -> None:
    """SET-5: deterministic, near the share, different users for different flags, nobody in particular in no share."""
    users = [str(uuid.uuid4()) for _ in range(4000)]

    def chosen(percentage: float, name: str = "half") -> set[str]:
        flags = SettingsService(
            flags={name: {"default": False, "rules": [{"percentage": percentage, "value": True}]}}
        ).flags
        assert flags.boolean(name) is (percentage == 100)
        first = {user for user in users if flags.boolean(name, user=user)}
        assert first == {user for user in users if flags.boolean(name, user=user)}
        return first

    assert (chosen(0), chosen(100)) == (set(), set(users))
    assert chosen(10) < chosen(25) < chosen(60)
    assert abs(len(chosen(25)) - 1000) < 150
    assert abs(len(chosen(50) & chosen(50, "other")) - 1000) < 150


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_share_is_a_place_between_0_and_100(flag: str, key: str) -> None:
    """SET-5: it never changes, not with the process and not with the release: users must not flip."""
    assert 0 <= share_of(flag, key) < 100
    assert share_of("half", "ada") == pytest.approx(78.84, abs=0.01)


def test_conditions_of_a_rule_hold_together() -> None:
    """SET-5: users and a percentage: that share of those users."""
    users = [f"user-{number}" for number in range(200)]
    rule = {"users": users, "percentage": 50, "value": 1}
    flags = SettingsService(flags={"x": {"default": 0, "rules": [rule]}}).flags
    chosen = {user for user in users if flags.integer("x", -1, user=user)}
    assert 60 < len(chosen) < 140
    assert not any(flags.integer("x", -1, user=f"stranger-{number}") for number in range(200))


def test_the_environment_overrules_a_flag_as_a_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-5, SET-1: JSON where it is such, text where it is not; the other flags stay; each has its origin."""
    (folder / "bedplate.toml").write_text(TOML)
    monkeypatch.setenv("BEDPLATE_FLAGS__HALF", '{"default": true}')
    monkeypatch.setenv("BEDPLATE_FLAGS__GREETING", "good day")
    monkeypatch.setenv("BEDPLATE_FLAGS__RATIO", "2.5")
    monkeypatch.setenv("BEDPLATE_FLAGS__OWN", "[1, 2]")
    settings = SettingsService(flags={"dark_mode": False})
    flags = settings.flags
    assert not settings.values.flags["half"].rules
    assert flags.boolean("half")
    assert flags.string("greeting", "") == "good day"
    assert flags.number("ratio", 0) == 2.5
    assert flags.structure("own", []) == [1, 2]
    assert flags.boolean("dark_mode", True) is False
    assert flags.structure("limits", {}) == {"a": 1, "b": [2]}
    assert settings.origin("flags.half") == "environment BEDPLATE_FLAGS__HALF"
    assert settings.origin("flags.dark_mode") == "argument flags.dark_mode"
    assert settings.origin("flags.limits") == f"{folder / 'bedplate.toml'} flags.limits"
    shown = {one.key: one.value for one in settings_in_use(settings) if one.key.startswith("flags")}
    assert shown["flags.dark_mode"] is False
    assert shown["flags.new-runner"]["rules"][0] == {"users": ["ada"], "value": "newest"}
    again = SettingsService(flags={key.removeprefix("flags."): value for key, value in shown.items()})
    assert again.values.flags == settings.values.flags


def test_all_flags_may_stand_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-5: as in the template of .env; a variable of its own goes before it."""
    monkeypatch.setenv("BEDPLATE_FLAGS", '{"a": true, "b": "x"}')
    monkeypatch.setenv("BEDPLATE_FLAGS__A", "false")
    flags = SettingsService().flags
    assert (flags.boolean("a", True), flags.string("b", "")) == (False, "x")


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("BEDPLATE_FLAGS", "true", "is a table, to be written as JSON"),
        ("BEDPLATE_FLAGS", "{", "but is not JSON at character 1"),
        ("BEDPLATE_FLAGS__X", "", "is empty"),
        ("BEDPLATE_FLAGS__X", '{"default": ', "begins like JSON"),
        ("BEDPLATE_FLAGS__X", '{"defualt": 1}', "Field required"),
        ("BEDPLATE_FLAGS__X", '{"default": 1, "rules": [{"value": 2}]}', "a rule needs users"),
        ("BEDPLATE_FLAGS__X", '{"default": 1, "rules": [{"value": "hunter2", "percentage": 1}]}', "of the type of its"),
        (
            "BEDPLATE_FLAGS__X",
            '{"default": 1, "rules": [{"value": 2, "percentage": 101}]}',
            "less than or equal to 100",
        ),
        ("BEDPLATE_FLAGS__X", "null", "valid"),
        ("BEDPLATE_FLAGS__X__DEFAULT", "true", "there is no such setting"),
        ("BEDPLATE_FLAGS__", "true", "match pattern"),
    ],
)
def test_bad_flags_are_refused_at_start(name: str, text: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-5, SET-2: with their origin, and without their value."""
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        SettingsService()
    assert any(what in problem.what for problem in caught.value.problems)
    assert {problem.origin for problem in caught.value.problems} == {f"environment {name}"}
    assert "hunter2" not in str(caught.value)


def test_a_name_in_capitals_is_refused(folder: Path) -> None:
    """SET-5: the environment could not overrule it."""
    (folder / "bedplate.toml").write_text("[flags]\nNewUI = true\n")
    with pytest.raises(SettingsError, match=r"flags\.NewUI"):
        SettingsService()
    (folder / "bedplate.toml").write_text("flags = true\n")
    with pytest.raises(SettingsError, match="is no table"):
        SettingsService()


def in_memory(**values: Any) -> InMemoryProvider:
    return InMemoryProvider({name: InMemoryFlag("on", {"on": value}) for name, value in values.items()})


async def test_each_container_has_its_own_provider(settings: SettingsService) -> None:
    """SET-5: neither another container's nor OpenFeature's global one is touched, nor do they touch this one."""
    other = SettingsService()
    openfeature.api.set_provider_and_wait(in_memory(dark_mode=False, host=True))
    try:
        await other.flags.use(in_memory(dark_mode=False))
        assert settings.flags.boolean("dark_mode") is True
        assert other.flags.boolean("dark_mode", True) is False
        assert not settings.flags.boolean("host")
        assert openfeature.api.get_client().get_boolean_value("host", False)
        assert openfeature.api.get_client("bedplate").get_boolean_value("dark_mode", True) is False
    finally:
        openfeature.api.shutdown()
    assert settings.flags.boolean("dark_mode") is True


class Slow(InMemoryProvider):
    """A provider that writes down its life."""

    def __init__(self, fails: Exception | None = None, hangs: threading.Event | None = None) -> None:
        super().__init__({"dark_mode": InMemoryFlag("off", {"off": False})})
        self.fails, self.hangs = fails, hangs
        self.journal: list[str] = []
        self.threads: list[threading.Thread] = []

    def initialize(self, evaluation_context: object) -> None:
        self.threads.append(threading.current_thread())
        self.journal.append("initialize")
        if self.hangs:
            self.hangs.wait()
        if self.fails:
            raise self.fails

    def shutdown(self) -> None:
        self.journal.append("shutdown")


async def test_a_provider_is_made_ready_before_it_answers_and_shut_down_at_stop(settings: SettingsService) -> None:
    """SET-5: in a thread; the settings answer again after a restart."""
    first, second = Slow(), Slow()
    await settings.start()
    await settings.flags.use(first)
    assert settings.flags.boolean("dark_mode", True) is False
    assert threading.main_thread() not in first.threads
    await settings.flags.use(second)
    assert first.journal == ["initialize", "shutdown"]
    await settings.stop()
    assert second.journal == ["initialize", "shutdown"]
    assert settings.flags.boolean("dark_mode") is True


async def test_a_provider_that_does_not_get_ready_replaces_nothing(settings: SettingsService) -> None:
    """SET-5"""
    released = threading.Event()
    with pytest.raises(FlagProviderError, match="ValueError") as caught:
        await settings.flags.use(Slow(fails=ValueError("hunter2")))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(FlagProviderError, match=r"no answer within 0\.01 s"):
        await settings.flags.use(Slow(hangs=released), timeout=0.01)
    released.set()
    assert settings.flags.boolean("dark_mode") is True


async def test_a_provider_that_fails_leaves_the_default(settings: SettingsService) -> None:
    """SET-5: whatever it raises, and whatever state it says that it is in."""

    class Failing(Slow):
        fail: Callable[[], Exception] = RuntimeError

        def resolve_boolean_details(self, *args: Any, **kwargs: Any) -> Any:
            raise self.fail()

        def get_provider_hooks(self) -> Any:
            if self.fail is KeyError:
                raise KeyError
            return []

    failing = Failing()
    await settings.flags.use(failing)
    for error in (RuntimeError, OSError, KeyError):
        failing.fail = error
        assert settings.flags.boolean("dark_mode", True) is True
    fine = Slow()
    await settings.flags.use(fine)
    for code, answer in ((ErrorCode.PROVIDER_FATAL, True), (None, False)):
        event = ProviderEvent.PROVIDER_ERROR if code else ProviderEvent.PROVIDER_READY
        fine._on_emit(fine, event, ProviderEventDetails(error_code=code))
        assert settings.flags.boolean("dark_mode", True) is answer


async def test_flags_may_be_read_by_many_threads(settings: SettingsService) -> None:
    """SET-5"""
    found = await asyncio.gather(
        *(asyncio.to_thread(settings.flags.boolean, "half", user=str(number % 7)) for number in range(200))
    )
    assert found == [settings.flags.boolean("half", user=str(number % 7)) for number in range(200)]


async def test_flags_of_a_container(container: ApplicationContainer) -> None:
    """SET-5: where an app finds them."""
    assert container.settings().flags.boolean("anything") is False
    with container.settings.override(Singleton(SettingsService, flags={"anything": True})):
        assert container.settings().flags.boolean("anything") is True


def test_the_sdk_is_imported_by_those_who_use_it() -> None:
    """SET-5: a start does not pay for it."""
    code = (
        "import sys, json; from bedplate.services.settings import SettingsService as S;"
        "s = S(flags={'a': True}); before = 'openfeature' in sys.modules; s.flags.boolean('a');"
        "print(json.dumps([before, 'openfeature' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, True]
