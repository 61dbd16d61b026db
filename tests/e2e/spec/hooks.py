"""Signs schemathesis in, and again whenever a request has ended its session.

DOORWARD_AS says how: `nobody`, `bearer` or `cookie`. The credentials are put in right before a
request is sent, because by then an earlier one may have ended the session they were made for.
"""

import atexit
import itertools
import json
import os
from collections import Counter
from pathlib import Path

import requests
import schemathesis

URL = os.environ["DOORWARD_URL"]
AS = os.environ["DOORWARD_AS"]
ANA = {"email": "ana@example.com", "password": "correct horse battery"}
HOME = {"recipient": "Ana", "line1": "Calle Mayor 1", "city": "Madrid", "country": "ES"}
# What is right by its schema, and seldom right in fact.
PARTICULAR = {
    "country": "PT",
    "phone": "+34 910 000 000",
    "locale": "es-ES",
    "timeZone": "Europe/Madrid",
    "avatarUrl": "https://example.com/ana.png",
}
# Of requests: what may be left out, and may be null then, but for changes where null says more.
OPTIONAL = {
    *("delivery", "remember", "refreshToken", "password", "role", "isVerified", "isDisabled"),
    *("label", "line2", "postalCode", "region", "phone", "isDefault"),
}
CHANGES = {"updateProfile", "updateAddress"}

# Stands for the access token until the request is sent.
PLACEHOLDER = "the-access-token-of-ana"
COOKIES = ("token", "refreshToken", "csrfToken")
# What a request to them leaves behind is not a session to go on with.
ENDING = {"login", "register", "logout", "logoutAll", "revokeSession"}
# Nor is the account: they are tried on one that was made for it.
CHANGING = {"changeEmail", "changePassword", "deleteAccount"}

numbers = itertools.count()

# Which statuses each operation has answered, for fuzz.py.
seen = Counter()
atexit.register(lambda: Path(os.environ["DOORWARD_SEEN"]).write_text(json.dumps(seen)))


class Jar:
    """The tokens of one session."""

    def __init__(self):
        self.tokens = None
        self.handed_out = {PLACEHOLDER}

    def live(self):
        """The tokens; signs in first when there are none."""
        if self.tokens is None:
            self.tokens = sign_in()
        self.handed_out.add(self.tokens["token"])
        return self.tokens

    def take(self, headers):
        """Puts renewed cookies in."""
        for name in COOKIES:
            for cookie in headers.get("set-cookie", []):
                value = cookie.partition(f"{name}=")[2].partition(";")[0]
                if cookie.startswith(f"{name}=") and value and self.tokens:
                    self.tokens[name] = value


def sign_in():
    """Ana, on one more device."""
    return enter("login", ANA)


def somebody_new():
    """An account that may be changed and deleted."""
    return enter("register", {**ANA, "email": f"user-{next(numbers)}@example.com"})


def enter(operation, credentials):
    """The tokens of a sign-in, and the id of the session."""
    delivery = "cookie" if AS == "cookie" else "body"
    body = {**credentials, "delivery": delivery}
    answer = requests.post(f"{URL}/api/auth/{operation}", json=body, timeout=10)
    answer.raise_for_status()
    body = answer.json()
    if AS == "cookie":
        tokens = dict(answer.cookies)
    else:
        tokens = {"token": body["accessToken"], "refreshToken": body["refreshToken"]}
    return {**tokens, "id": body["session"]["id"]}


def ana_id():
    """Who Ana is."""
    answer = requests.post(f"{URL}/api/auth/login", json={**ANA, "delivery": "body"}, timeout=10)
    answer.raise_for_status()
    return answer.json()["user"]["id"]


def somebody():
    """An account to try things on."""
    new = {"email": f"somebody-{next(numbers)}@example.com", "password": ANA["password"]}
    body = {**new, "delivery": "body"}
    answer = requests.post(f"{URL}/api/auth/register", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()["user"]["id"]


jar = Jar()
if AS != "nobody":

    @schemathesis.auth(refresh_interval=None)
    class Ana:
        """Tells schemathesis where the credentials are, so that it tries without them too."""

        def get(self, _case, _context):
            return PLACEHOLDER

        def set(self, case, placeholder, _context):
            if AS == "bearer":
                case.headers["Authorization"] = f"Bearer {placeholder}"
            else:
                case.cookies["token"] = placeholder


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Puts in what only a running server can know."""
    definition = case.operation.definition.raw
    operation = definition["operationId"]
    # Asked first: what is put in below is not in the spec.
    positive = is_positive(case)
    if operation in CHANGING and AS != "nobody":
        jar.tokens = somebody_new()
    if case.headers.get("Authorization", "").removeprefix("Bearer ") in jar.handed_out:
        case.headers["Authorization"] = f"Bearer {jar.live()['token']}"
    if case.cookies.get("token") in jar.handed_out:
        tokens = jar.live()
        case.cookies.update({name: tokens[name] for name in COOKIES})
        if positive:
            case.headers["X-CSRF-Token"] = tokens["csrfToken"]
    # The ids of the examples, which do not exist, stand for some that do.
    example = [it["schema"].get("example") for it in definition.get("parameters", [])]
    if AS != "nobody" and case.path_parameters.get("sessionId", "") in example:
        case.path_parameters["sessionId"] = sign_in()["id"]
        if case.path_parameters.get("userId", "") in example:
            case.path_parameters["userId"] = ana_id()
    elif AS != "nobody" and case.path_parameters.get("userId", "") in example:
        case.path_parameters["userId"] = somebody()
    # Likewise the address; it is made anew each time, and others make room for it.
    if AS != "nobody" and case.path_parameters.get("addressId", "") in example:
        case.path_parameters["addressId"] = address()
    if positive and isinstance(case.body, dict):
        case.body = realistic(operation, case.body)


def address():
    """The id of an address of Ana's, of which there are few enough to add another."""
    url, tokens, session = f"{URL}/api/profile/addresses", sign_in(), requests.Session()
    if AS == "cookie":
        session.cookies.update({name: tokens[name] for name in COOKIES})
        session.headers["X-CSRF-Token"] = tokens["csrfToken"]
    else:
        session.headers["Authorization"] = f"Bearer {tokens['token']}"
    for old in session.get(url, timeout=10).json()["addresses"][10:]:
        session.delete(f"{url}/{old['id']}", timeout=10).raise_for_status()
    return session.post(url, json=HOME, timeout=10).json()["id"]


def realistic(operation, body):
    """Some of what is right by its schema is replaced by what is right in fact."""
    if operation in CHANGES | {"addAddress"} and next(numbers) % 2:
        return {**body, **{name: it for name, it in PARTICULAR.items() if body.get(name)}}
    if operation == "register" and next(numbers) % 2:
        return {**body, "email": f"user-{next(numbers)}@example.com"}
    if operation == "createUser" and next(numbers) % 2:
        more = {"email": f"user-{next(numbers)}@example.com", "password": ANA["password"]}
        # Another administrator could unseat Ana.
        return {**body, **more, "role": "user"}
    if operation == "login" and next(numbers) % 2:
        return {**body, **ANA}
    if operation == "changePassword" and next(numbers) % 2:
        return {"currentPassword": ANA["password"], "newPassword": ANA["password"]}
    if operation == "changeEmail" and next(numbers) % 2:
        return {"newEmail": f"user-{next(numbers)}@example.com", "password": ANA["password"]}
    if operation in ("forgotPassword", "resendVerification") and next(numbers) % 2:
        return {"email": ANA["email"]}
    if operation == "deleteAccount" and next(numbers) % 2:
        return {"password": ANA["password"]}
    if operation in ("refresh", "logout") and AS == "bearer" and "refreshToken" in body:
        return {**body, "refreshToken": jar.live()["refreshToken"]}
    return body


@schemathesis.hook
def after_call(_context, case, response):
    """Keeps the jar as a browser or a program would."""
    operation = case.operation.definition.raw["operationId"]
    seen[f"{operation} {response.status_code}"] += 1
    # Next the request is tried with a wrong access token, which must not be renewed silently.
    case.cookies.pop("refreshToken", None)
    jar.take(response.headers)
    spent = operation == "refresh" and AS == "bearer"
    if operation in ENDING | CHANGING or spent or response.status_code in (401, 403):
        jar.tokens = None


@schemathesis.hook
def filter_failure(_context, failure, case, _response):
    """Drops what is not a failure: where the server is lenient on purpose."""
    if type(failure).__name__ != "AcceptedNegativeData":
        return True
    # A bearer token needs no CSRF header, so nobody looks at the one that is there.
    ignored_header = AS == "bearer" and "`X-CSRF-Token`" in failure.message
    # Many generated clients write null for what they leave out.
    body = case.body if isinstance(case.body, dict) else {}
    changes = case.operation.definition.raw["operationId"] in CHANGES
    null_for_absent = not changes and any(body.get(name, "") is None for name in OPTIONAL)
    return not (ignored_header or null_for_absent)


def is_positive(case):
    return case.meta is None or case.meta.generation.mode.is_positive
