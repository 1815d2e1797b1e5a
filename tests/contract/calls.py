"""How each operation of the REST contract is called with a valid request, from one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["CALLS", "SHARED", "Call", "Caller"]

JSON = "application/json"
BINARY = "application/octet-stream"
NDJSON = "application/x-ndjson"
ZIP = "application/x-zip-compressed"


class Caller(StrEnum):
    """Who calls."""

    ANYONE = "without credentials"
    USER = "a user with a token"
    KEY = "the same user with a key"
    SUPERUSER = "a superuser with a token"


@dataclass(frozen=True)
class Call:
    """A valid request, and what the answer is beside what the document declares.

    A text such as ``"{flow}"`` stands for the id of an object that is made first; what stands in braces in the path
    stands for itself, unless ``path`` says otherwise.

    Attributes:
        by: Who calls.
        path: What the braces of the path stand for.
        first: Objects that have to be there, beside those that the request names.
        query: Parameters of the query.
        body: A JSON body.
        form: A form.
        file: Name and content of an uploaded file.
        cookies: Cookies.
        kind: The content type of the answer.
        status: The status where it is not the declared one; ``different`` says why.
        undeclared: A pattern of what the document gets wrong: the server that it describes answers otherwise, as we do.
        accepted: A pattern of requests that the document refuses and we accept; ``different`` says why.
        different: Text of the row of ``docs/compatibility.md`` that says what is deliberately different.
    """

    by: Caller = Caller.USER
    path: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes] | None = None
    cookies: Mapping[str, str] = field(default_factory=dict)
    kind: str = JSON
    status: int | None = None
    undeclared: str = ""
    accepted: str = ""
    different: str = ""


_ANYONE = Call(by=Caller.ANYONE)
_OWNED = "the caller's credentials; what belongs to somebody else answers as if it did not exist"
_FILES_OWNED = "the caller's credentials, and the caller's flow"
_FILES_ARE_TEXT = r"^\$\[\d+\]\.files: '\[\]' is not of type 'array'"
_STORE_KEY = ("store_key",)
_NEW = {"name": "made"}
_FLOW = b'{"name": "imported", "data": {"nodes": [], "edges": []}}'
SHARED = {
    "name": "shared",
    "description": "for everybody",
    "data": {"nodes": [], "edges": []},
    "tags": [],
    "is_component": False,
    "private": False,
}
"""What is published in the store."""

_UPLOAD = Call(file=("flow.json", _FLOW))
_TEXT = Call(file=("text.txt", b"a text"))
_PNG = {"file_name": "{image_name}"}
_PAGE = {"page": 1, "size": 10}

CALLS: Mapping[str, tuple[Call, ...]] = {
    "GET /health": (_ANYONE,),
    "GET /health_check": (_ANYONE,),
    "GET /logs": (Call(by=Caller.ANYONE, status=501, different="| `/logs`, `/logs-stream` |"),),
    "GET /logs-stream": (Call(by=Caller.ANYONE, status=501, different="| `/logs`, `/logs-stream` |"),),
    "GET /api/v1/version": (_ANYONE,),
    "GET /api/v1/config": (_ANYONE,),
    "GET /api/v1/all": (Call(),),
    # Accounts
    "POST /api/v1/login": (Call(by=Caller.ANYONE, form={"username": "{username}", "password": "{password}"}),),
    "GET /api/v1/auto_login": (Call(by=Caller.ANYONE, status=403, different="| `GET /auto_login` |"),),
    "POST /api/v1/refresh": (Call(by=Caller.ANYONE, cookies={"refresh_token_lf": "{refresh_token}"}),),
    "POST /api/v1/logout": (_ANYONE, Call()),
    "POST /api/v1/users/": (Call(by=Caller.ANYONE, body={"username": "made", "password": "secret"}),),
    "GET /api/v1/users/": (Call(by=Caller.SUPERUSER), Call(by=Caller.SUPERUSER, query={"skip": 1, "limit": 1})),
    "GET /api/v1/users/whoami": (Call(), Call(by=Caller.KEY)),
    "PATCH /api/v1/users/{user_id}": (Call(body={"optins": {"x": True}}), Call(body={})),
    "PATCH /api/v1/users/{user_id}/reset-password": (Call(body={"password": "another one"}),),
    "DELETE /api/v1/users/{user_id}": (Call(by=Caller.SUPERUSER),),
    "GET /api/v1/api_key/": (Call(),),
    "POST /api/v1/api_key/": (Call(body=_NEW),),
    "DELETE /api/v1/api_key/{api_key_id}": (Call(),),
    "GET /api/v1/variables/": (Call(),),
    "POST /api/v1/variables/": (Call(body=_NEW | {"value": "v", "type": "Generic", "default_fields": []}),),
    "PATCH /api/v1/variables/{variable_id}": (Call(body={"id": "{variable_id}", "value": "changed"}),),
    "DELETE /api/v1/variables/{variable_id}": (Call(),),
    # Projects
    **{
        f"{method} /api/v1/{name}/{rest}": calls
        for name in ("projects", "folders")
        for method, rest, calls in (
            ("GET", "", (Call(),)),
            ("POST", "", (Call(body=_NEW | {"flows_list": ["{flow_id}"]}),)),
            (
                "GET",
                f"{{{name[:-1]}_id}}",
                (Call(), Call(query=_PAGE), Call(query=_PAGE | {"is_flow": True, "search": "x"})),
            ),
            ("PATCH", f"{{{name[:-1]}_id}}", (Call(body={"description": "changed"}),)),
            ("DELETE", f"{{{name[:-1]}_id}}", (Call(),)),
            ("GET", f"download/{{{name[:-1]}_id}}", (Call(kind=ZIP),)),
            ("POST", "upload/", (_UPLOAD,)),
        )
    },
    # Flows
    "POST /api/v1/flows/": (Call(body=_NEW | {"data": {"nodes": [], "edges": []}}),),
    "GET /api/v1/flows/": (
        Call(),
        Call(query={"get_all": False, **_PAGE}),
        Call(query={"header_flows": True}),
        Call(query={"components_only": True, "folder_id": "{project_id}"}),
    ),
    "DELETE /api/v1/flows/": (Call(body=["{flow_id}"]),),
    "GET /api/v1/flows/public_flow/{flow_id}": (Call(by=Caller.ANYONE, path={"flow_id": "{public_flow_id}"}),),
    "GET /api/v1/flows/{flow_id}": (Call(),),
    "PATCH /api/v1/flows/{flow_id}": (Call(body={"description": "changed"}),),
    "DELETE /api/v1/flows/{flow_id}": (Call(),),
    "POST /api/v1/flows/batch/": (Call(body={"flows": [_NEW]}),),
    "POST /api/v1/flows/upload/": (_UPLOAD,),
    "POST /api/v1/flows/download/": (
        Call(body=["{flow_id}"]),
        Call(body=["{flow_id}", "{public_flow_id}"], kind=ZIP),
    ),
    # Runs
    "POST /api/v1/build/{flow_id}/flow": (
        Call(body={"inputs": {"input_value": "Hello"}}),
        Call(query={"event_delivery": "direct"}, kind=NDJSON),
    ),
    "GET /api/v1/build/{job_id}/events": (
        Call(kind=NDJSON, different=_OWNED),
        Call(query={"event_delivery": "polling"}, kind=NDJSON, different=_OWNED),
    ),
    "POST /api/v1/build/{job_id}/cancel": (Call(different=_OWNED),),
    "POST /api/v1/run/{flow_id_or_name}": (
        Call(by=Caller.KEY, body={"input_value": "Hello"}),
        Call(by=Caller.KEY, query={"stream": True}, kind="text/event-stream"),
    ),
    "POST /api/v1/webhook/{flow_id_or_name}": (
        Call(by=Caller.ANYONE, path={"flow_id_or_name": "{public_flow_id}"}, body={"hello": "world"}),
        Call(by=Caller.KEY, body={"hello": "world"}, different="| `POST /webhook/{flow}` |"),
    ),
    "GET /api/v1/monitor/messages": (
        Call(query={"session_id": "{session_id}"}, undeclared=_FILES_ARE_TEXT, different=_OWNED),
    ),
    "DELETE /api/v1/monitor/messages": (Call(body=["{message_id}"]),),
    "PUT /api/v1/monitor/messages/{message_id}": (Call(body={"text": "changed"}),),
    "GET /api/v1/monitor/messages/sessions": (Call(query={"flow_id": "{flow_id}"}),),
    "PATCH /api/v1/monitor/messages/session/{old_session_id}": (
        Call(query={"new_session_id": "renamed"}, undeclared=_FILES_ARE_TEXT),
    ),
    "DELETE /api/v1/monitor/messages/session/{session_id}": (Call(different=_OWNED),),
    "GET /api/v1/monitor/builds": (Call(query={"flow_id": "{built_flow_id}"}, different=_OWNED),),
    "DELETE /api/v1/monitor/builds": (Call(query={"flow_id": "{built_flow_id}"}, different=_OWNED),),
    "GET /api/v1/monitor/transactions": (
        Call(query={"flow_id": "{built_flow_id}"}, different=_OWNED),
        Call(query={"flow_id": "{built_flow_id}", **_PAGE}, different=_OWNED),
    ),
    # Files
    "POST /api/v1/files/upload/{flow_id}": (_TEXT,),
    "GET /api/v1/files/download/{flow_id}/{file_name}": (Call(kind=BINARY, different=_FILES_OWNED),),
    "GET /api/v1/files/images/{flow_id}/{file_name}": (Call(path=_PNG, kind="image/png", different=_FILES_OWNED),),
    "GET /api/v1/files/list/{flow_id}": (Call(),),
    "DELETE /api/v1/files/delete/{flow_id}/{file_name}": (Call(),),
    **{f"GET /api/v2/files{slash}": (Call(),) for slash in ("", "/")},
    **{f"POST /api/v2/files{slash}": (_TEXT,) for slash in ("", "/")},
    **{f"DELETE /api/v2/files{slash}": (Call(),) for slash in ("", "/")},
    "POST /api/v2/files/batch/": (Call(body=["{file_id}"], kind=ZIP),),
    "DELETE /api/v2/files/batch/": (Call(body=["{file_id}"]),),
    "GET /api/v2/files/{file_id}": (Call(kind=BINARY), Call(query={"return_content": True})),
    "PUT /api/v2/files/{file_id}": (Call(query={"name": "renamed"}),),
    "DELETE /api/v2/files/{file_id}": (Call(),),
    # Store
    "POST /api/v1/api_key/store": (Call(body={"api_key": "a-key"}),),
    "GET /api/v1/store/check/": (_ANYONE,),
    "GET /api/v1/store/check/api_key": (Call(), Call(first=_STORE_KEY)),
    "GET /api/v1/store/components/": (
        Call(),
        Call(query={"component_id": "{component_id}", "tags": ["Agent"], "sort": ["-count(liked_by)"], "liked": True}),
        Call(query={"search": "shared", "is_component": False, "filter_by_user": True, "page": 1, "limit": 5}),
    ),
    "POST /api/v1/store/components/": (Call(first=_STORE_KEY, body=SHARED),),
    "GET /api/v1/store/components/{component_id}": (Call(),),
    "PATCH /api/v1/store/components/{component_id}": (
        Call(
            body=SHARED | {"description": "changed"},
            accepted=r"^body(\.\w+ is missing|: \{'no')",
            different="| `PATCH /store/components/{id}` without some fields |",
        ),
    ),
    "GET /api/v1/store/tags": (_ANYONE,),
    "GET /api/v1/store/users/likes": (Call(first=("liked_id",)),),
    "POST /api/v1/store/users/likes/{component_id}": (Call(),),
}
