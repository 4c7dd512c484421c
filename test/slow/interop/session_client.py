"""What WHIP and WHEP clients do over HTTP, with nothing but Python's own library."""

import urllib.error
import urllib.parse
import urllib.request


def _ask(method, url, token, body=None):
    headers = {"Content-Type": "application/sdp"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    return urllib.request.urlopen(request, timeout=15)


def post_offer(url, sdp, token=None):
    """The answer and the address of the session."""
    with _ask("POST", url, token, sdp.encode()) as answer:
        assert answer.status == 201, answer.status
        assert answer.headers["ETag"], "no ETag"
        location = urllib.parse.urljoin(url, answer.headers["Location"])
        return answer.read().decode(), location


def delete(location, token=None):
    with _ask("DELETE", location, token) as answer:
        assert answer.status == 200, answer.status
