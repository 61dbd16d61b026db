"""Registers or signs in, asks who that is, lists the devices, and signs out."""

import sys

import httpx
from doorward import Doorward, FileStore, Problem

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
EMAIL, PASSWORD = "ana@example.com", "correct horse battery"

# The tokens outlive the program: a run that ends before `logout` leaves the next one signed in.
store = FileStore("doorward-tokens.json")

try:
    with Doorward(URL, store=store, on_signed_out=lambda code: print("ended:", code)) as door:
        if not door.signed_in:
            try:
                door.register(EMAIL, PASSWORD)
            except Problem as problem:
                if problem.code != "email_taken":
                    raise
                door.login(EMAIL, PASSWORD)
        print("signed in as", door.get_me().email)
        for session in door.list_sessions():
            print("session on", session.device, "(this one)" if session.current else "")
        door.logout()
        print("signed out")
except Problem as problem:
    sys.exit(f"refused: {problem.code or problem.status}: {problem.detail}")
except httpx.TransportError as lost:
    sys.exit(f"no answer from {URL}: {lost}")
