"""Runs schemathesis against a server, as nobody, by bearer token and by cookie.

Arguments are passed on to `schemathesis run`. Exit code 1 when any of the three found something.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from server import doorward

HERE = Path(__file__).parent
COMMITTED = HERE.parents[2] / "openapi" / "doorward.json"
# Seconds; it takes ten of them, or a minute with more examples.
LIMIT = 300
# Their tokens are in mails alone.
BY_LINK = {"acceptInvitation", "confirmEmail", "resetPassword", "undoEmailChange", "verifyEmail"}
ANA = {"email": "ana@example.com", "password": "correct horse battery"}


def main():
    failed = []
    for who in ("nobody", "bearer", "cookie"):
        # One server each: the accounts that one run made must not be in the way of another.
        with TemporaryDirectory() as data, doorward() as (url, shell):
            check_served(url)
            requests.post(f"{url}/api/auth/register", json=ANA, timeout=10).raise_for_status()
            # The only one, whom nothing that is tried can unseat.
            shell("user", "set-role", ANA["email"], "admin")
            started = time.monotonic()
            print(f"\nschemathesis, signed in as: {who}", flush=True)
            seen = Path(data) / who
            if run(url, who, seen) or not reached(who, json.loads(seen.read_text())):
                failed.append(who)
            print(f"{who}: {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        sys.exit(f"schemathesis found something, signed in as: {', '.join(failed)}")


def run(url, who, seen):
    """Its exit code. What was answered is written to the file `seen`."""
    command = [
        Path(sys.executable).with_name("schemathesis"),
        *("--config-file", HERE / "schemathesis.toml"),
        *("run", f"{url}/openapi.json", "--no-color", *sys.argv[1:]),
    ]
    if who == "nobody":
        # That a stranger meets 401 everywhere is no reason to warn.
        command += ["--warnings", "off"]
    environment = {
        **os.environ,
        "DOORWARD_URL": url,
        "DOORWARD_AS": who,
        "DOORWARD_SEEN": str(seen),
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    with subprocess.Popen(command, env=environment) as process:
        try:
            return process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            print(f"{who}: not done after {LIMIT} s; this is where it was:", flush=True)
            process.send_signal(signal.SIGABRT)
            return 1


def reached(who, seen):
    """Whether each operation has succeeded at least once; strangers are to be refused instead."""
    complete = True
    for operation, responses, guarded in operations():
        prefix = f"{operation} "
        answered = {it.removeprefix(prefix): n for it, n in seen.items() if it.startswith(prefix)}
        counts = (f"{status} x {n}" for status, n in sorted(answered.items()))
        print(f"  {operation}:", ", ".join(counts))
        is_refused = who == "nobody" and (guarded or operation == "refresh")
        wanted = "401" if is_refused else "403" if operation in BY_LINK else min(responses)
        if wanted not in answered:
            print(f"  {operation}: {wanted} was never met, so nothing is known of it")
            complete = False
    return complete


def operations():
    """Each operation's id, documented responses, and whether it is guarded."""
    for path in json.loads(COMMITTED.read_text())["paths"].values():
        for operation in path.values():
            yield operation["operationId"], operation["responses"], bool(operation["security"])


def check_served(url):
    """The linter reads the committed spec, schemathesis the served one: they must be one."""
    if requests.get(f"{url}/openapi.json", timeout=10).json() != json.loads(COMMITTED.read_text()):
        sys.exit(f"the server's spec is not {COMMITTED.name}: build it anew, or `make openapi`")


if __name__ == "__main__":
    main()
