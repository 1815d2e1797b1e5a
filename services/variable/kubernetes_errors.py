"""What the API of Kubernetes and its client say when something is wrong, as errors that name setting and fix."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp

from bedplate.services.engines.kubernetes import KubernetesApiError
from bedplate.services.engines.kubernetes_config import KubernetesConfigError
from bedplate.services.errors import BedplateError
from bedplate.services.server_address import causes
from bedplate.services.variable.errors import VariableStoreError, VariableStoreFullError, VariableStoreSettingError
from bedplate.services.variable.kubernetes_vault import MAX_BYTES

__all__ = ["typed_errors"]

_ENV: Final = "BEDPLATE_VARIABLE__KUBERNETES_"
_AGAIN: Final = "try again; if it lasts, look at the API server and at what lies between"
_ACCOUNT: Final = (
    "bind a Role with the verbs get, list, create, patch and delete on secrets to the service account, as in "
    f"examples/kubernetes, or set {_ENV}NAMESPACE to one where it may"
)


@contextmanager
def typed_errors(namespace: str, server: str) -> Iterator[None]:
    """Turn what the client raises inside the block into errors of this service; none quotes a token or a value.

    Raises:
        VariableStoreSettingError: The API server refuses what the settings say.
        VariableStoreError: It does not answer, or not well.
        VariableStoreFullError: A Secret would be too large.
    """
    try:
        yield
    except KubernetesApiError as error:
        raise _answered(error, namespace) from error
    except KubernetesConfigError as error:
        raise VariableStoreSettingError(
            "there is no account of Kubernetes to use",
            why=str(error),
            fix=f"run in a pod with automountServiceAccountToken, or set {_ENV}KUBECONFIG (and {_ENV}CONTEXT) to a "
            f"kubeconfig that works with kubectl; {_ENV}ACCOUNT_DIR says where the account of a pod is mounted",
        ) from error
    except TimeoutError as error:
        raise VariableStoreError(
            f"the Kubernetes API at {server} did not answer in time",
            why=type(error).__name__,
            fix=f"{_AGAIN}, or raise {_ENV}TIMEOUT",
        ) from error
    except (aiohttp.ClientError, OSError) as error:
        raise _failed(error, server) from error
    except ValueError as error:  # what is no URL, or a token with a line break, or an answer that is not JSON
        raise VariableStoreSettingError(
            "what answers at the address of the Kubernetes API is not one, or the token is not one",
            why=type(error).__name__,
            fix=f"correct the server and the token in {_ENV}KUBECONFIG, or the files in {_ENV}ACCOUNT_DIR",
        ) from error


def _answered(error: KubernetesApiError, namespace: str) -> BedplateError:
    match error.status:
        case 401:
            return VariableStoreSettingError(
                "the token is not valid there, or has expired, though it was read anew",
                why=str(error),
                fix=f"give the pod a projected token that the kubelet renews ({_ENV}ACCOUNT_DIR), or log in again for "
                f"the user of {_ENV}KUBECONFIG",
            )
        case 403 if "being terminated" in error.message:
            return VariableStoreSettingError(
                f"the namespace {namespace!r} is being deleted", why=str(error), fix=f"set {_ENV}NAMESPACE to another"
            )
        case 403 if "exceeded quota" in error.message:
            return VariableStoreError(
                f"the quota of the namespace {namespace!r} is used up", why=str(error), fix="raise its ResourceQuota"
            )
        case 403:
            return VariableStoreSettingError(
                f"this account may not use Secrets in the namespace {namespace!r}", why=str(error), fix=_ACCOUNT
            )
        case 404 | 405:
            return VariableStoreSettingError(
                f"there is no namespace {namespace!r}, or what answers is no API of Kubernetes",
                why=str(error),
                fix=f"make the namespace, or set {_ENV}NAMESPACE to one that is there",
            )
        case 413 | 422:
            return VariableStoreFullError(MAX_BYTES + 1, MAX_BYTES)
        case status if status < 500 and status not in (409, 410, 429):
            return VariableStoreSettingError(
                "what answers there is no API of Kubernetes, or not one that this release knows",
                why=str(error),
                fix=f"set the server in {_ENV}KUBECONFIG to the https:// address of the API server",
            )
    busy = VariableStoreError("the Kubernetes API is busy, or could not do it", why=str(error), fix=_AGAIN)
    busy.retry_after = error.retry_after or busy.retry_after
    return busy


def _failed(error: Exception, server: str) -> BedplateError:
    if any(isinstance(cause, ssl.SSLError | ssl.CertificateError) for cause in causes(error)):
        return VariableStoreSettingError(
            f"the certificate of the Kubernetes API at {server} is not one to trust",
            why=type(error).__name__,
            fix=f"give the certificates of its authority: certificate-authority in {_ENV}KUBECONFIG, or ca.crt in "
            f"{_ENV}ACCOUNT_DIR",
        )
    reached = not isinstance(error, aiohttp.ClientConnectorError)
    what = "broke the connection off" if reached else "cannot be reached"
    return VariableStoreError(
        f"the Kubernetes API at {server} {what}",
        why=type(error).__name__,
        fix=f"{_AGAIN}; {_ENV}KUBECONFIG says where it is outside a cluster",
    )
