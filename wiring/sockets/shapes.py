"""Jobs and messages as clients of Socket.IO read them."""

from typing import Any

from bedplate.services.chat import Message
from bedplate.services.job_queue import Job

__all__ = ["chat_message", "job_fields"]


def job_fields(job: Job) -> dict[str, Any]:
    """A job."""
    return {
        "job_id": str(job.id),
        "kind": job.kind,
        "flow_id": None if job.flow_id is None else str(job.flow_id),
        "session_id": job.session_id,
        "status": job.status.value,
        "error": job.error,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


def chat_message(message: Message) -> dict[str, Any]:
    """A stored message, in the fields of ``add_message``."""
    return {
        "id": str(message.id),
        "flow_id": None if message.flow_id is None else str(message.flow_id),
        "session_id": message.session_id,
        "timestamp": message.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "sender": message.sender,
        "sender_name": message.sender_name,
        "text": message.text,
        "files": list(message.files),
        "error": message.error,
        "edit": message.edit,
        "properties": message.properties,
        "category": message.category,
        "content_blocks": list(message.content_blocks),
    }
