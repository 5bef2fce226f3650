"""Who asks while Schemathesis asks.

`cargo wb schemathesis` names the callers of one role in a file. Most operations are asked by the steady ones; what lies
under `/auth/` ends sessions, changes passwords and guesses at them, so the passing ones ask it. A token that is not good
any more is replaced: the same caller signs in again, and when they may not any more, or may less than at first
(deactivated, removed, locked out, demoted), the next one does. So no operation has to be left out.
"""

import json
import os

import requests
import schemathesis

with open(os.environ["WB_SCHEMATHESIS_CALLERS"], encoding="utf-8") as file:
    CALLERS = json.load(file)

# Access tokens are good for ten minutes, and sensitive operations want that somebody signed in within five.
REFRESH = 240


def kind(case, context):
    """Which of the callers asks this."""
    return "passing" if context.operation.path.startswith("/auth/") else "steady"


def token_of(caller):
    """A token of the caller that permits what it did at first, or none."""
    token = caller.get("key")
    if token is None:
        answer = requests.post(f"{CALLERS['url']}/auth/login", json=caller, timeout=30)
        if answer.status_code != 200:
            return None
        token = answer.json()["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{CALLERS['url']}/users/me", headers=headers, timeout=30)
    if answer.status_code != 200:
        return None
    permissions = {effective["permission"] for effective in answer.json()["permissions"]}
    return token if permissions >= set(CALLERS["permissions"]) else None


@schemathesis.auth(cache_by_key=kind, refresh_interval=REFRESH, retry_on=[401, 403])
class Callers:
    """Signs in whoever of the callers still may."""

    def get(self, case, context):
        waiting = CALLERS[kind(case, context)]
        while waiting:
            token = token_of(waiting[0])
            if token is not None:
                return token
            waiting.pop(0)
        raise RuntimeError("every caller of this role has lost their access: give the role more of them")

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody shuts out everybody.

    The one setting with which a caller would end the whole run is sent as `nobody`: from then on everybody who has set up
    no second factor is refused everything else. What the setting does is a test of its own in `tests/it`.
    """
    if case.operation.label == "PATCH /enterprises/{id}" and isinstance(case.body, dict):
        settings = case.body.get("settings")
        if isinstance(settings, dict) and settings.get("requireSecondFactor") in ("everybody", "administrators"):
            settings["requireSecondFactor"] = "nobody"
