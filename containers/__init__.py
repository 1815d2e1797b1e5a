"""What there is: the container of an application, and the words that an app needs beside it."""

from bedplate.services.collector import collector_paused, grow_old

with collector_paused():
    from dependency_injector.providers import ThreadSafeSingleton as Singleton
    from dependency_injector.wiring import Provide

    from bedplate.containers.application import ApplicationContainer
    from bedplate.containers.base import ContainerInstance, ServiceContainer
    from bedplate.containers.health import ContainerHealth
    from bedplate.containers.injection import inject
    from bedplate.containers.plugins import add_plugins, application_container
    from bedplate.containers.report import Record, Report, State

    grow_old()

__all__ = [
    "ApplicationContainer",
    "ContainerHealth",
    "ContainerInstance",
    "Provide",
    "Record",
    "Report",
    "ServiceContainer",
    "Singleton",
    "State",
    "add_plugins",
    "application_container",
    "inject",
]
