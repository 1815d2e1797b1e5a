"""Variables: opened with the key of Langflow, sealed with that of Bedplate."""

import uuid

from pydantic import SecretStr

from bedplate.services.database.models import VariableRow
from bedplate.services.errors import BedplateError
from bedplate.services.variable import VariableNotFoundError, VariableService, VariableType
from bedplate.wiring.langflow.secrets import LangflowSecrets, looks_encrypted
from bedplate.wiring.langflow.source import LangflowSource
from bedplate.wiring.langflow.target import Target
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["carry_variables"]


async def carry_variables(
    source: LangflowSource, target: Target, variables: VariableService, secrets: LangflowSecrets, *, dry: bool
) -> None:
    """Carry variables over; what cannot be decrypted is left out, and never stored as its ciphertext.

    Args:
        source: Where they are.
        target: Where they go.
        variables: The service that keeps them, in the transaction or, as on Kubernetes, beside it.
        secrets: Opens what Langflow encrypted.
        dry: Whether nothing is to stay: the transaction will be undone.
    """
    async for row in source.rows("variable"):
        key, name = row.id(), row.text("name")
        try:
            await _carry(row, target, variables, secrets, dry=dry)
        except BedplateError as error:
            target.report.left_out("variable", key, name, error.what)


async def _carry(
    row: SourceRow, target: Target, variables: VariableService, secrets: LangflowSecrets, *, dry: bool
) -> None:
    key, owner = row.id(), target.owners.of(row)
    if await _is_here(key, owner, target, variables):
        target.report.present("variable")
        return
    kind = VariableType.GENERIC if row.text("type").lower() == "generic" else VariableType.CREDENTIAL
    value = row.text("value")
    if kind is VariableType.CREDENTIAL or looks_encrypted(value):
        value = secrets.open(value)
    if variables.transactional or not dry:
        await variables.create(
            owner,
            row.text("name"),
            SecretStr(value),
            type=kind,
            default_fields=[str(field) for field in row.list("default_fields")],
            id=key,
            created_at=row.time("created_at"),
        )
    target.report.carried("variable")


async def _is_here(key: uuid.UUID, owner: uuid.UUID, target: Target, variables: VariableService) -> bool:
    if variables.transactional:
        return await target.is_here(VariableRow, key, owner)
    try:
        await variables.get(owner, key)
    except VariableNotFoundError:
        return False
    return True
