"""`/v1` below its JSON: methods, headers, other sites' pages, and clients that are slow, old, rude or broken."""

import json
from socket import SHUT_WR

import pytest

from machine import wait_for
from raw_http import Reply, connect, exchange, read_all, read_reply, request_bytes

ORIGIN = "https://app.example.edu"
SITE = {
    "models": ("dummy", "tokens-40-at-20", {"name": "org/name v1.5", "remote": "dummy"}),
    "changes": {"api": {"cors_origins": [ORIGIN]}},
}
PATHS = {
    "/v1/chat/completions": "POST, OPTIONS",
    "/v1/completions": "POST, OPTIONS",
    "/v1/embeddings": "POST, OPTIONS",
    "/v1/models": "GET, HEAD, OPTIONS",
    "/v1/models/dummy": "GET, HEAD, OPTIONS",
}


@pytest.fixture
def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/dummy", "/v1/models/none"])
def test_head_is_get_without_its_body(site, bearer, path):
    got, head = exchange(site, "GET", path, bearer), exchange(site, "HEAD", path, bearer)
    assert head.status == got.status
    assert head.body == b""
    assert head.headers["content-length"] == str(len(got.body))
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_methods(site, path, method):
    reply = exchange(site, method, path)
    if method == "OPTIONS":
        assert reply.status == 204 and reply.body == b""
    elif method not in PATHS[path].split(", "):
        assert reply.status == 405
        assert method == "HEAD" or reply.json()["error"]["code"] == "method_not_allowed"
    else:
        assert reply.status == 401
        return
    assert reply.headers["allow"] == PATHS[path]


@pytest.mark.parametrize("name", ["org/name%20v1.5", "org%2Fname%20v1.5", "%6Frg/name%20v1%2E5"])
def test_ids_may_hold_slashes_and_be_encoded(site, bearer, name):
    reply = exchange(site, "GET", f"/v1/models/{name}", bearer)
    assert reply.status == 200
    assert reply.json()["id"] == "org/name v1.5"


def test_the_client_finds_an_id_with_a_slash(client):
    assert client.models.retrieve("org/name v1.5").id == "org/name v1.5"
    assert client.chat.completions.create(
        model="org/name v1.5", messages=[{"role": "user", "content": "x"}]
    ).model == "org/name v1.5"


def test_every_reply_names_its_request(site, bearer):
    seen = set()
    for path in [*PATHS, "/v1", "/v1/", "/v1/none", "/v1/models/none"]:
        for method in ["GET", "POST", "HEAD", "OPTIONS", "PUT"]:
            for headers in [{}, bearer]:
                reply = exchange(site, method, path, headers)
                assert reply.headers["x-request-id"].startswith("req_"), (method, path)
                seen.add(reply.headers["x-request-id"])
    assert len(seen) == 9 * 5 * 2


def preflight(site, origin: str, headers: str):
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": headers,
    }
    return exchange(site, "OPTIONS", "/v1/chat/completions", asked)


def test_preflight(site):
    reply = preflight(site, ORIGIN, "authorization,content-type,Idempotency-Key,x-stainless-lang,x-evil")
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert reply.headers["access-control-allow-methods"] == "POST, OPTIONS"
    granted = reply.headers["access-control-allow-headers"].split(", ")
    assert granted == ["authorization", "content-type", "idempotency-key", "x-stainless-lang"]
    assert reply.headers["access-control-max-age"] == "7200"
    assert "access-control-allow-credentials" not in reply.headers
    assert "Origin" in reply.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", ORIGIN + ".evil.example", "http://app.example.edu", "null"])
def test_other_origins_are_told_nothing(site, bearer, origin):
    replies = [preflight(site, origin, "authorization"), exchange(site, "GET", "/v1/models", {**bearer, "Origin": origin})]
    for reply in replies:
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert "Origin" in reply.headers["vary"]


def test_replies_and_errors_may_be_read_by_the_origin(site, bearer):
    for headers in [bearer, {}]:
        reply = exchange(site, "GET", "/v1/models", {**headers, "Origin": ORIGIN})
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        exposed = reply.headers["access-control-expose-headers"]
        assert "x-request-id" in exposed and "retry-after" in exposed and "x-lumen-limited-by" in exposed


def test_any_origin_when_configured(site, bearer):
    site.change_configuration({"api": {"cors_origins": ["*"]}})
    try:
        def allowed():
            return preflight(site, "https://elsewhere.example", "authorization").headers.get("access-control-allow-origin")

        assert wait_for("the configuration to be read", allowed) == "*"
        reply = exchange(site, "GET", "/v1/models", {**bearer, "Origin": "https://elsewhere.example"})
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in reply.headers
    finally:
        site.change_configuration({"api": {"cors_origins": [ORIGIN]}})


LARGE = b" " * (8 << 20)


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/none", "/v1/models"])
def test_an_early_error_reaches_a_client_that_is_still_sending(site, path, connection):
    headers = {"Connection": connection, "Content-Length": str(len(LARGE))}
    with connect(site) as socket:
        # Blocks unless somebody reads.
        socket.sendall(request_bytes("POST", path, headers, LARGE))
        socket.shutdown(SHUT_WR)
        reply = Reply(read_all(socket))
    assert reply.status in (401, 404, 405)
    assert reply.json()["error"]["code"]


def test_a_chunked_body_over_the_limit(site, bearer):
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with connect(site) as socket:
        socket.sendall(request_bytes("POST", "/v1/chat/completions", {**bearer, "Transfer-Encoding": "chunked"}))
        for _ in range(24):
            socket.sendall(chunk)
        socket.sendall(b"0\r\n\r\n")
        reply = Reply(read_all(socket))
    assert reply.status == 413
    assert reply.json()["error"]["code"] == "request_too_large"


def test_a_client_that_sends_for_ever_is_cut(site):
    with connect(site) as socket, pytest.raises(OSError):
        socket.sendall(request_bytes("POST", "/v1/none", {"Content-Length": str(1 << 40)}))
        for _ in range(200):
            socket.sendall(b" " * (1 << 20))


POST = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/9.9\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400, "invalid_http"),
        (b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Folded: a\r\n b\r\n\r\n", 400, "invalid_http"),
        (b"get /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http"),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "invalid_http"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n", 400, "invalid_http"),
        (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400, "invalid_http"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "transfer_encoding_unknown"),
        (POST + b"Expect: tea\r\nContent-Length: 2\r\n\r\n", 417, "expectation_failed"),
        (b"GET /v1/" + b"x" * (20 << 10) + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "url_too_long"),
        (b"GET /v1/models HTTP/1.1\r\nX-Long: " + b"x" * (17 << 10) + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /v1/models HTTP/1.1\r\n" + b"X-Many: x\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
    ],
)
def test_what_is_no_http_is_told_so_in_json(site, sent, status, code):
    with connect(site) as socket:
        socket.sendall(sent)
        reply = Reply(read_all(socket))
    assert reply.status == status
    assert reply.json()["error"]["code"] == code
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers["connection"] == "close"
    assert reply.headers["date"].endswith(" GMT")


def test_a_client_that_closes_only_its_sending_side_is_told_that_it_has_left(site, bearer):
    body = b'{"model": "dummy", "stream": true, "messages": [{"role": "user", "content": "hello"}]}'
    with connect(site) as connection:
        connection.sendall(request_bytes("POST", "/v1/chat/completions", bearer, body))
        connection.shutdown(SHUT_WR)
        text = read_all(connection).decode()
    if '"finish_reason":"stop"' not in text:
        assert "The request was cancelled." in text


def test_a_client_that_waits_to_be_asked_for_its_body(site, bearer):
    body = b'{"model": "dummy", "messages": [{"role": "user", "content": "hello"}]}'
    headers = bearer | {"Expect": "100-continue", "Content-Length": str(len(body))}
    with connect(site) as connection:
        connection.sendall(request_bytes("POST", "/v1/chat/completions", headers))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        reply = Reply(read_all(connection))
    assert reply.status == 200
    assert reply.json()["choices"][0]["finish_reason"]


ASKED = {"model": "dummy", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
STREAM = json.dumps(ASKED).encode()
SLOW_STREAM = json.dumps(ASKED | {"model": "tokens-40-at-20"}).encode()


def old(request: bytes) -> bytes:
    """The same in HTTP/1.0, which knows no Host."""
    return request.replace(b" HTTP/1.1\r\nHost: localhost\r\n", b" HTTP/1.0\r\n")


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_stream_to_an_old_client_ends_with_its_connection(site, bearer, connection):
    with connect(site) as socket:
        request = request_bytes("POST", "/v1/chat/completions", bearer | {"Connection": connection}, STREAM)
        socket.sendall(old(request))
        reply = Reply(read_all(socket))
    assert reply.status == 200
    assert reply.headers["connection"] == "close"
    assert "transfer-encoding" not in reply.headers and "content-length" not in reply.headers
    assert reply.body.startswith(b"data: {") and reply.body.endswith(b"data: [DONE]\n\n")


def test_an_old_client_that_names_nothing_is_answered_and_left(site):
    with connect(site) as socket:
        socket.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        reply = Reply(read_all(socket))
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_an_old_client_may_keep_its_connection(site):
    with connect(site) as socket:
        for connection in ["keep-alive", "close"]:
            socket.sendall(f"GET /healthz HTTP/1.0\r\nConnection: {connection}\r\n\r\n".encode())
            reply = read_reply(socket)
            assert (reply.status, reply.headers["connection"]) == (200, connection)
        assert socket.recv(1) == b""


def test_an_old_client_is_not_asked_for_its_body(site, bearer):
    with connect(site) as socket:
        headers = bearer | {"Expect": "100-continue"}
        socket.sendall(old(request_bytes("POST", "/v1/chat/completions", headers, b"{}")))
        assert Reply(read_all(socket)).status == 400


@pytest.mark.parametrize(
    "fields",
    [
        "Connection: close",
        "Connection: Close",
        "Connection: TE, close",
        # The parser would take the next request for another protocol.
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
        "Connection: Upgrade\r\nUpgrade: websocket",
    ],
)
def test_a_last_reply_says_so(site, fields):
    with connect(site) as socket:
        socket.sendall(f"GET /healthz HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n".encode())
        reply = Reply(read_all(socket))
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_what_came_before_a_broken_request_is_answered(site):
    with connect(site) as socket:
        socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"nonsense\r\n\r\n")
        replies = [read_reply(socket), read_reply(socket), read_reply(socket)]
        assert socket.recv(1) == b""
    assert [reply.status for reply in replies] == [200, 200, 400]
    assert [reply.headers.get("connection") for reply in replies] == [None, None, "close"]


@pytest.mark.parametrize("broken", [b"nonsense\r\n\r\n", POST + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n"])
def test_a_stream_goes_on_when_what_follows_is_broken(site, bearer, broken):
    with connect(site) as socket:
        headers = bearer | {"Connection": "keep-alive"}
        socket.sendall(request_bytes("POST", "/v1/chat/completions", headers, SLOW_STREAM))
        begin = socket.recv(1)
        socket.sendall(broken)
        stream, end, rest = (begin + read_all(socket)).partition(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert b"connection: close" not in stream.lower() and end
    assert Reply(rest).status == 400


def test_an_early_reply_is_not_followed_by_another(site):
    with connect(site) as socket:
        socket.sendall(request_bytes("POST", "/logout", {"Transfer-Encoding": "chunked", "Connection": "keep-alive"}))
        assert read_reply(socket).status == 303
        socket.sendall(b"no size\r\n")
        assert socket.recv(1) == b""


@pytest.mark.parametrize("target", ["http://example.edu/v1/models", "HTTP://example.edu:80/v1/models?x=1"])
def test_the_target_may_be_a_whole_url(site, bearer, target):
    assert exchange(site, "GET", target, bearer).json()["object"] == "list"


def test_options_of_the_server(site):
    assert exchange(site, "OPTIONS", "*").status == 204


@pytest.mark.parametrize("path", ["/", "/login", "/theme.css", "/logo", "/chat", "/none", "/healthz", "/readyz"])
def test_head_of_a_page_has_no_body(site, path):
    with connect(site) as socket:
        socket.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + request_bytes("GET", path))
        data = read_all(socket)
    head, _, rest = data.partition(b"\r\n\r\n")
    head, got = Reply(head), Reply(rest)
    assert head.status == got.status
    assert head.headers.get("content-type") == got.headers.get("content-type")
    assert head.headers["content-length"] == got.headers["content-length"]


def test_who_sends_too_slowly_is_told_so(site, bearer):
    begins = [
        b"GET /v1/mod",
        request_bytes("POST", "/v1/chat/completions", bearer | {"Content-Length": "100"}) + b"{",
        request_bytes("POST", "/logout", {"Content-Length": "100"}) + b"x",
    ]
    sockets = [connect(site, 90) for _ in begins]
    try:
        for socket, begin in zip(sockets, begins, strict=True):
            socket.sendall(begin)
        replies = [Reply(read_all(socket)) for socket in sockets]
    finally:
        for socket in sockets:
            socket.close()
    assert [reply.status for reply in replies[:2]] == [408, 408]
    for reply in replies[:2]:
        assert reply.json()["error"]["code"] == "request_timeout"
        assert reply.json()["error"]["type"] == "invalid_request_error"
        assert reply.headers["connection"] == "close"
    # Answered before its body came: there is nothing to add.
    assert replies[2].status == 303 and replies[2].body == b""
