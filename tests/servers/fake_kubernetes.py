"""A fake of the Secrets API of Kubernetes: no API server, but what one answers to the calls that are made of it.

Versions of resources, conflicts, preconditions, merge patches, pages that expire, lists of metadata, limits of size,
rules of names and labels, tokens that expire, permissions, TLS. Written after the API reference of Kubernetes 1.33; the
text of its answers is that of a real server.
"""

import asyncio
import base64
import binascii
import copy
import datetime as dt
import ipaddress
import json
import re
import ssl
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["FakeKubernetes"]

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_MAX: Final = 1024 * 1024
_REASONS: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
_VERBS: Final = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


class FakeKubernetes:
    """Answers on loopback, on the loop that it is started on.

    Args:
        folder: Where it keeps certificates and writes accounts and kubeconfigs.
        tls: Whether it speaks TLS.

    Attributes:
        secrets: The Secrets by namespace and name, as they are kept.
        namespaces: The namespaces that there are.
        tokens: The tokens that are valid.
        forbidden: The verbs that nobody may use.
        calls: The verbs that were answered, in order.
        lose_answers: Changes that are made, and whose answer does not arrive; counts down.
        refuse: Answers by this status in place of any other, so often; counts down.
        hang: While it is cleared, nothing is answered.
    """

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.namespaces = {"default", "apps"}
        self.tokens = {"a-token-of-tests"}
        self.forbidden: set[str] = set()
        self.calls: list[str] = []
        self.lose_answers = 0
        self.refuse: tuple[int, int] = (0, 0)
        self.hang = asyncio.Event()
        self.hang.set()
        self.port = 0
        self._folder = folder
        self._tls = tls
        self._version = 0
        self._marks: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        folder.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, at the same port as before."""
        app = web.Application(client_max_size=4 * _MAX)
        path = "/api/v1/namespaces/{namespace}/secrets"
        app.router.add_route("*", path, self._answer)
        app.router.add_route("*", path + "/{name}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context() if self._tls else None)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections; what was kept stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def expire_lists(self) -> None:
        """Forget the lists that are under way."""
        self._marks.clear()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, *, token: str = "a-token-of-tests", namespace: str | None = "apps", ca: bool = True) -> Path:
        """Write a kubeconfig for this server."""
        cluster: dict[str, Any] = {"server": self.url}
        if self._tls and ca:
            cluster["certificate-authority"] = str(self._folder / "ca.crt")
        context = {"cluster": "fake", "user": "tests"} | ({"namespace": namespace} if namespace else {})
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "contexts": [{"name": "fake", "context": context}],
            "users": [{"name": "tests", "user": {"token": token}}],
        }
        path = self._folder / "kubeconfig"
        path.write_text(json.dumps(document))  # JSON is YAML
        return path

    def account(self, *, token: str = "a-token-of-tests", namespace: str = "apps") -> tuple[Path, dict[str, str]]:
        """Write the account of a pod; the folder, and the environment that a pod has."""
        (self._folder / "token").write_text(token)
        (self._folder / "namespace").write_text(namespace)
        return self._folder, {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        namespace, name = request.match_info["namespace"], request.match_info.get("name")
        verb = "list" if request.method == "GET" and name is None else _VERBS.get(request.method, "?")
        self.calls.append(verb)
        await self.hang.wait()
        status, times = self.refuse
        if times:
            self.refuse = (status, times - 1)
            return _status(status, "told to refuse")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _status(401, "Unauthorized")
        if verb in self.forbidden:
            who = 'User "system:serviceaccount:apps:bedplate"'
            what = f'cannot {verb} resource "secrets" in API group "" in the namespace "{namespace}"'
            return _status(403, f'secrets "{name}" is forbidden: {who} {what}')
        body = await request.json() if request.can_read_body else None
        match verb:
            case "list":
                return self._list(namespace, request)
            case "get":
                answer = self._get(namespace, str(name))
            case "create":
                answer = self._create(namespace, body)
            case "patch":
                answer = self._patch(namespace, str(name), body, request.content_type)
            case "delete":
                answer = self._delete(namespace, str(name), body)
            case _:
                answer = _status(405, "the server does not allow this method on the requested resource")
        if verb in {"create", "patch", "delete"} and answer.status < 300 and self.lose_answers:
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _get(self, namespace: str, name: str) -> web.Response:
        found = self.secrets.get((namespace, name))
        return web.json_response(found) if found else _missing(name)

    def _create(self, namespace: str, body: dict[str, Any]) -> web.Response:
        name = body["metadata"]["name"]
        if namespace not in self.namespaces:
            return _status(404, f'namespaces "{namespace}" not found')
        if (namespace, name) in self.secrets:
            return _status(409, f'secrets "{name}" already exists', reason="AlreadyExists")
        if wrong := _invalid(body):
            return _status(422, f'Secret "{name}" is invalid: {wrong}')
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        made = copy.deepcopy(body)
        made["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now, "namespace": namespace}
        return self._keep(namespace, name, made, 201)

    def _patch(self, namespace: str, name: str, body: dict[str, Any], content: str) -> web.Response:
        if content != "application/merge-patch+json":
            return _status(415, "the body of the request was in an unknown format")
        found = self.secrets.get((namespace, name))
        if found is None:
            return _missing(name)
        wanted = body["metadata"].get("resourceVersion")
        if wanted not in (None, found["metadata"]["resourceVersion"]):
            return _conflict(name)
        new = _merged(found, body)
        if wrong := _invalid(new):
            return _status(422, f'Secret "{name}" is invalid: {wrong}')
        return web.json_response(found) if new == found else self._keep(namespace, name, new, 200)

    def _delete(self, namespace: str, name: str, body: dict[str, Any] | None) -> web.Response:
        found = self.secrets.get((namespace, name))
        if found is None:
            return _missing(name)
        for field, wanted in ((body or {}).get("preconditions") or {}).items():
            if found["metadata"][field] != wanted:
                return _conflict(name)
        del self.secrets[namespace, name]
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _list(self, namespace: str, request: web.Request) -> web.Response:
        wanted = _selector(request.query.get("labelSelector", ""))
        found = [
            secret
            for (where, _), secret in sorted(self.secrets.items())
            if where == namespace and wanted(secret["metadata"].get("labels", {}))
        ]
        begin = 0
        if mark := request.query.get("continue"):
            if mark not in self._marks:
                return _status(410, "The provided continue parameter is too old to display a consistent list result.")
            begin = sum(secret["metadata"]["name"] <= self._marks[mark] for secret in found)
        limit = int(request.query.get("limit", "0")) or len(found)
        page, rest = found[begin : begin + limit], found[begin + limit :]
        metadata: dict[str, Any] = {"resourceVersion": str(self._version)}
        if rest:
            mark = uuid.uuid4().hex
            self._marks[mark] = page[-1]["metadata"]["name"]
            metadata |= {"continue": mark, "remainingItemCount": len(rest)}
        if request.headers["Accept"].startswith("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"):
            page = [{"metadata": secret["metadata"]} for secret in page]
        return web.json_response({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": page})

    def _keep(self, namespace: str, name: str, secret: dict[str, Any], status: int) -> web.Response:
        self._version += 1
        secret["metadata"]["resourceVersion"] = str(self._version)
        self.secrets[namespace, name] = secret
        return web.json_response(secret, status=status)

    def _context(self) -> ssl.SSLContext:
        if not (self._folder / "server.pem").exists():
            _certify(self._folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "server.pem")
        return context


def _status(code: int, message: str, *, reason: str = "") -> web.Response:
    reason = reason or _REASONS.get(code, "")
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(body, status=code, headers={"Retry-After": "7"} if code == 429 else {})


def _missing(name: str) -> web.Response:
    return _status(404, f'secrets "{name}" not found')


def _conflict(name: str) -> web.Response:
    text = "the object has been modified; please apply your changes to the latest version and try again"
    return _status(409, f'Operation cannot be fulfilled on secrets "{name}": {text}')


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = _merged(new.get(key), value)
    return new


def _invalid(secret: Mapping[str, Any]) -> str:
    """What the API server would refuse."""
    metadata, size = secret["metadata"], 0
    if not _NAME.fullmatch(metadata["name"]) or len(metadata["name"]) > 253:
        return "metadata.name: Invalid value: a lowercase RFC 1123 subdomain must consist of lower case alphanumerics"
    for key, value in metadata.get("labels", {}).items():
        if not _LABEL.fullmatch(key.rpartition("/")[2]) or not _LABEL.fullmatch(value):
            return f"metadata.labels: Invalid value: {value!r}"
    if sum(len(key) + len(value) for key, value in metadata.get("annotations", {}).items()) > 256 * 1024:
        return "metadata.annotations: Too long: may not be more than 262144 bytes"
    for key, value in secret.get("data", {}).items():
        if not _KEY.fullmatch(key):
            return f"data[{key}]: Invalid value: a valid config key must consist of alphanumeric characters"
        try:
            size += len(base64.b64decode(value, validate=True))
        except binascii.Error:
            return f"data[{key}]: illegal base64 data"
    return f"data: Too long: may not be more than {_MAX} bytes" if size > _MAX else ""


def _selector(text: str) -> Any:
    wanted = [part.partition("=")[::2] if "=" in part else (part, None) for part in text.split(",") if part]

    def matches(labels: Mapping[str, str]) -> bool:
        return all(key in labels and value in (None, labels[key]) for key, value in wanted)

    return matches


def _certify(folder: Path) -> None:
    """A certificate of its own authority for loopback."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, subject = _named("an authority of tests"), _named("127.0.0.1")
    ca = _signed(issuer, issuer, authority, authority, [(x509.BasicConstraints(ca=True, path_length=None), True)])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = _signed(subject, issuer, key, authority, [(address, False)])
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.crt").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(private + own.public_bytes(pem))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(
    subject: x509.Name, issuer: x509.Name, key: Any, authority: Any, extensions: Iterable[tuple[Any, bool]]
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1)
    )
    identifiers = [
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
    ]
    for extension, critical in (*extensions, *identifiers):
        builder = builder.add_extension(extension, critical)
    return builder.sign(authority, hashes.SHA256())
