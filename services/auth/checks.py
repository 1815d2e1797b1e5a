"""What the doctor looks at on behalf of the auth service."""

from collections.abc import Iterator
from typing import Any

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check

__all__ = ["CHECKS"]

_FEWEST_CHARACTERS = 8
_OWASP_MEMORY_KIB = 19_456
_OWASP_PASSES = 2
_GUESSED_FIRST = frozenset({"admin", "bedplate", "changeme", "langflow", "letmein", "password", "secret", "superuser"})


@check("auth.cookie-not-secure", Severity.ERROR, "On a public host, cookies travel over HTTPS only")
def _cookie_not_secure(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.public and not around.values.auth.cookie_secure:
        yield Trouble(
            f"the server listens on {around.values.server.host}, and its cookies are sent over plain HTTP too",
            fix="set BEDPLATE_AUTH__COOKIE_SECURE=true, and reach it over HTTPS",
        )


@check("auth.auto-login", Severity.WARNING, "Automatic login is for development, on a server that nobody else reaches")
def _auto_login(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    if not around.values.auth.auto_login:
        return
    fix = "set BEDPLATE_AUTH__AUTO_LOGIN=false"
    if around.public:
        yield Trouble(
            f"the server listens on {around.values.server.host}, and a proxy on this machine would make everybody a "
            "superuser",
            fix=fix,
            severity=Severity.ERROR,
        )
    else:
        yield Trouble("whoever works on this machine is a superuser", fix=f"{fix}, except for development")


@check("auth.keys-of-one-machine", Severity.WARNING, "Replicas on several machines sign tokens with the same keys")
def _keys_of_one_machine(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    auth, replicas = around.values.auth, around.values.server.replicas
    given = auth.signing_key is not None or auth.signing_key_file is not None
    if replicas > 1 and auth.algorithm != "HS256" and not given:
        yield Trouble(
            f"there are {replicas} replicas, and those on other machines sign with keys of their own, from "
            f"{around.values.data_dir}",
            fix="set BEDPLATE_AUTH__SIGNING_KEY_FILE to a key that all of them have, unless they share that folder",
        )


@check("auth.logins-not-throttled", Severity.WARNING, "On a public host, guessing passwords is slowed down")
def _logins_not_throttled(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.public and not around.values.auth.login_failures_per_account:
        yield Trouble(
            "anybody may guess the passwords of a user as often as the machine can verify them",
            fix="unset BEDPLATE_AUTH__LOGIN_FAILURES_PER_ACCOUNT, or set it to ten or so",
        )


@check("auth.weak-passwords", Severity.WARNING, "On a public host, passwords have at least eight characters")
def _weak_passwords(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    shortest = around.values.auth.password_min_length
    if around.public and shortest < _FEWEST_CHARACTERS:
        yield Trouble(
            f"passwords may have {shortest} character{'s'[: shortest != 1]}, and other machines can try them",
            fix=f"set BEDPLATE_AUTH__PASSWORD_MIN_LENGTH={_FEWEST_CHARACTERS} (NIST SP 800-63B)",
        )


@check("auth.weak-hashing", Severity.WARNING, "On a public host, passwords are hashed as OWASP recommends")
def _weak_hashing(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    auth = around.values.auth
    if around.public and (auth.argon2_memory_kib < _OWASP_MEMORY_KIB or auth.argon2_time_cost < _OWASP_PASSES):
        yield Trouble(
            f"Argon2id takes {auth.argon2_memory_kib} KiB and {auth.argon2_time_cost} passes",
            fix=f"set BEDPLATE_AUTH__ARGON2_MEMORY_KIB={_OWASP_MEMORY_KIB} and "
            f"BEDPLATE_AUTH__ARGON2_TIME_COST={_OWASP_PASSES}, or more",
        )


@check("auth.guessable-superuser", Severity.ERROR, "The superuser's password is not one that is guessed first")
def _guessable_superuser(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    given = around.values.auth.superuser_password
    password = given.get_secret_value().casefold() if given else ""
    if given and (password in _GUESSED_FIRST or password == (around.values.auth.superuser or "").casefold()):
        yield Trouble(
            "the password for the superuser is one that is guessed first",
            fix="make one with `openssl rand -base64 18`, and name its file in BEDPLATE_AUTH__SUPERUSER_PASSWORD_FILE",
        )


@check("auth.open-sign-up", Severity.WARNING, "On a public host, somebody decides who gets an account")
def _open_sign_up(_auth: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.public and around.values.auth.sign_up == "open":
        yield Trouble(
            "anybody who reaches the server gets an account that works at once",
            fix="set BEDPLATE_AUTH__SIGN_UP to approval or closed",
        )


CHECKS: tuple[Check, ...] = (
    _cookie_not_secure,
    _auto_login,
    _keys_of_one_machine,
    _logins_not_throttled,
    _weak_passwords,
    _weak_hashing,
    _guessable_superuser,
    _open_sign_up,
)
