"""What started, in which order, how long it took, and why that backend."""

from enum import StrEnum

import msgspec

from bedplate.services.checks import Finding

__all__ = ["Record", "Report", "State"]


class State(StrEnum):
    """How far a service has got."""

    PLANNED = "planned"
    STARTING = "starting"
    STARTED = "started"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPING = "stopping"
    STOPPED = "stopped"
    NOT_NEEDED = "not needed"


class Record(msgspec.Struct, kw_only=True):
    """What the report says of one service.

    Attributes:
        name: Its name in the container.
        backend: The backend in use; None until it is known.
        origin: Why that backend: the origin of the setting, ``"override"``, or ``"only one"``.
        needs: The names of the services that start before it.
        state: How far it has got.
        required: False if the application runs without it, degraded.
        start_ms: How long building and starting it took, in milliseconds; None if it was not started.
        stop_ms: The same for stopping.
        error: Why it failed, in one line; None if it did not.
    """

    name: str
    backend: str | None = None
    origin: str = "only one"
    needs: list[str] = []
    state: State = State.PLANNED
    required: bool = True
    start_ms: float | None = None
    stop_ms: float | None = None
    error: str | None = None


class Report(msgspec.Struct, kw_only=True):
    """The services of a container in the order of their start.

    Attributes:
        services: A record each; those that nothing needs come last.
        aliases: The variables of Langflow that were read, each with the setting that it gave its value to.
        findings: What the checks of the services found at the last start, the worst first.
        start_ms: How long the last start took in all, in milliseconds.
        stop_ms: The same for the last stop.
    """

    services: list[Record] = []
    aliases: dict[str, str] = {}
    findings: list[Finding] = []
    start_ms: float | None = None
    stop_ms: float | None = None

    @property
    def degraded(self) -> list[str]:
        """The names of optional services that could not start."""
        return [one.name for one in self.services if one.state is State.FAILED and not one.required]

    def __bool__(self) -> bool:
        return bool(self.services)

    def __getitem__(self, name: str) -> Record:
        for record in self.services:
            if record.name == name:
                return record
        raise KeyError(name)

    def json(self) -> bytes:
        """The report as JSON."""
        return msgspec.json.encode(self)

    def table(self) -> str:
        """The report as a table for people, one service a line."""
        header = ("service", "backend", "why", "needs", "start ms", "state")
        rows = [header, *(_row(record) for record in self.services)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        rows.insert(1, tuple("-" * width for width in widths))
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        if self.start_ms is not None:
            lines.append(f"started in {self.start_ms:.0f} ms")
        if self.aliases:
            lines += ["", "Variables of Langflow that were read:"]
            lines += [f"    {name} as {key}" for name, key in self.aliases.items()]
        if self.findings:
            lines += ["", *(f"{one.severity.capitalize()}: {one.what} [{one.check}]" for one in self.findings)]
            lines.append("    `bedplate doctor` says what to do about each.")
        return "\n".join(lines)

    def mermaid(self) -> str:
        """The report as a Mermaid flowchart: an arrow from each service to each that it needs directly."""
        lines = ["flowchart LR"]
        for record in self.services:
            label = f"{record.name}<br/>{record.backend}" if record.backend else record.name
            lines.append(f'    {_node_id(record.name)}["{_escape(label)}"]:::{record.state.replace(" ", "_")}')
        known = {record.name for record in self.services}
        for record in self.services:
            lines += [f"    {_node_id(record.name)} --> {_node_id(need)}" for need in record.needs if need in known]
        lines.append("    classDef failed stroke:#c00")
        lines.append("    classDef not_needed stroke-dasharray:4")
        return "\n".join(lines)


def _row(record: Record) -> tuple[str, ...]:
    state = f"{record.state}: {record.error}" if record.error else str(record.state)
    if not record.required:
        state += " (optional)"
    milliseconds = "" if record.start_ms is None else f"{record.start_ms:.1f}"
    needs = ", ".join(record.needs) or "-"
    return record.name, record.backend or "-", record.origin, needs, milliseconds.rjust(len("start ms")), state


def _node_id(name: str) -> str:
    # "end" and the like are words of the Mermaid language.
    return "s_" + "".join(character if character.isalnum() else "_" for character in name)


def _escape(text: str) -> str:
    return text.replace('"', "#quot;")
