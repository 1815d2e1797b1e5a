"""The smallest FastAPI + SQLModel application that authenticates a user by a token: the peer of starts and requests."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

__all__ = ["Account", "LoginSession", "create_app", "make_token"]

_KEY = "a key of the minimal application, 32 bytes or more"


class Account(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    username: str = Field(unique=True)
    password_hash: str = ""
    profile_image: str | None = None
    is_active: bool = True
    is_superuser: bool = False
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    last_login_at: datetime | None = None


class LoginSession(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    account_id: uuid.UUID = Field(foreign_key="account.id", index=True)
    revoked_at: datetime | None = None


class AccountRead(BaseModel):
    id: uuid.UUID
    username: str
    profile_image: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None


def make_token(account_id: uuid.UUID, session_id: uuid.UUID) -> str:
    """A token as the application checks it."""
    now = datetime.now(UTC)
    claims = {
        "iss": "minimal",
        "aud": "minimal",
        "sub": str(account_id),
        "sid": str(session_id),
        "typ": "access",
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(hours=1),
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, _KEY, algorithm="HS256")


def create_app(url: str) -> FastAPI:
    """The application over the database at ``url``."""
    engine = create_async_engine(url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)
        yield
        await engine.dispose()

    async def session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as opened:
            yield opened

    Database = Annotated[AsyncSession, Depends(session)]  # noqa: N806 - an alias, named like a type

    async def current(database: Database, authorization: Annotated[str, Header()]) -> Account:
        try:
            claims = jwt.decode(
                authorization.removeprefix("Bearer "),
                _KEY,
                algorithms=["HS256"],
                audience="minimal",
                issuer="minimal",
                options={"require": ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ"]},
            )
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, "invalid token") from error
        statement = (
            select(Account, LoginSession)
            .join(LoginSession, LoginSession.account_id == Account.id)  # type: ignore[arg-type]  # SQLModel's columns
            .where(LoginSession.id == uuid.UUID(claims["sid"]), Account.id == uuid.UUID(claims["sub"]))
        )
        row = (await database.exec(statement)).first()
        if claims["typ"] != "access" or row is None or row[1].revoked_at is not None or not row[0].is_active:
            raise HTTPException(401, "invalid token")
        return row[0]

    app = FastAPI(lifespan=lifespan)
    app.state.engine = engine

    @app.get("/whoami")
    async def whoami(account: Annotated[Account, Depends(current)]) -> AccountRead:
        return AccountRead.model_validate(account, from_attributes=True)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
