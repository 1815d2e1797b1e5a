"""What every vendor is: where its spans go, and what they are called there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from bedplate.services.tracing.vendors.sources import Sources
from bedplate.services.tracing.vendors.step import Attributes, Step

__all__ = ["Destination", "Vendor"]


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans are sent.

    Attributes:
        url: What they are posted to.
        headers: With which headers; some are secret.
        credentials: What in them is secret.
        set_by: The variables that set the credentials and the URL, for people.
        resource: Attributes of the resource that a vendor wants.
        gzip: Whether requests are compressed.
        ca_file: Certificates that the server's is checked against, in place of the usual ones.
        client_cert: Files of a certificate and its key to show the server; empty: none.
    """

    url: str
    headers: Mapping[str, str] = {}
    credentials: Sequence[str] = ()
    set_by: Sequence[str] = ()
    resource: Mapping[str, str] = {}
    gzip: bool = False
    ca_file: str = ""
    client_cert: Sequence[str] = ()

    def __repr__(self) -> str:  # never with a header
        return f"<Destination {self.url}>"


class Vendor(ABC):
    """One vendor.

    Attributes:
        name: What counters, logs and checks call it.
        title: What people call it.
        prefix: What its variables begin with.
        variables: Those that are read here.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    prefix: ClassVar[str]
    variables: ClassVar[tuple[str, ...]]

    @abstractmethod
    def destination(self, sources: Sources) -> Destination | None:
        """Where its spans go; None if it is not set up.

        Raises:
            VendorProblem: It is set up in a way that cannot work.
        """

    def attributes(self, step: Step) -> Attributes:
        """What a span says to it: that of the conventions, and what the vendor reads beside them."""
        return dict(step.attributes)
