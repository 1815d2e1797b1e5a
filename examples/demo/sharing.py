"""Publishes a flow in the store, and takes it from there as somebody else."""

from typing import Any

from examples.demo.client import Client
from examples.demo.steps import Steps, check

__all__ = ["share"]

_OTHER, _PASSWORD = "grace", "nanoseconds in a wire"


def share(steps: Steps, client: Client, flow_id: str) -> None:
    flow = client.call("GET", f"/api/v1/flows/{flow_id}")
    with steps.step("publish the flow in the store") as step:
        client.call("POST", "/api/v1/api_key/store", json={"api_key": "ada-of-the-store"})
        body = {key: flow[key] for key in ("name", "description", "data", "is_component")}
        body |= {"tags": ["chatbots"], "private": False}
        published = client.call("POST", "/api/v1/store/components/", status=201, json=body)["id"]
        step.saw(flow["name"])
    with steps.step("sign somebody else up") as step:
        other = _another_user(client)
        status = other.http.get(f"/api/v1/flows/{flow_id}").status_code
        check(status == 404, f"another user's flow answers {status}")
        step.saw(f"{_OTHER}, for whom the flow does not exist")
    with steps.step("find it, like it and take it as that user") as step:
        other.call("POST", "/api/v1/api_key/store", json={"api_key": "grace-of-the-store"})
        found = other.call("GET", "/api/v1/store/components/", params={"search": flow["name"].split()[0]})
        check([one["id"] for one in found["results"]] == [published], f"found {found}")
        liked = other.call("POST", f"/api/v1/store/users/likes/{published}")
        taken = other.call("GET", f"/api/v1/store/components/{published}")
        check(_types(taken["data"]) == _types(flow["data"]), "what comes from the store is another flow")
        made = other.call("POST", "/api/v1/flows/", status=201, json={"name": taken["name"], "data": taken["data"]})
        check(made["id"] != flow_id, "it is the same flow")
        step.saw(f"{liked['likes_count']} like; {made['name']}, now {_OTHER}'s own")


def _another_user(superuser: Client) -> Client:
    """A user who has signed up and been let in, logged in."""
    other = Client(str(superuser.http.base_url))
    body = {"username": _OTHER, "password": _PASSWORD}
    user = other.call("POST", "/api/v1/users/", status=201, json=body)
    superuser.call("PATCH", f"/api/v1/users/{user['id']}", json={"is_active": True})
    other.log_in(_OTHER, _PASSWORD)
    return other


def _types(data: dict[str, Any]) -> list[str]:
    return sorted(node["data"]["type"] for node in data["nodes"])
