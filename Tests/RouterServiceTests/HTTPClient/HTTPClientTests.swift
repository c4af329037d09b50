import Glibc
import HTTPClient
import NIOConcurrencyHelpers
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    let client: HTTPClient

    init() throws { client = try HTTPClient() }

    @Test func aPostArrivesAsWrittenAndItsAnswerComesBack() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", #"{"a":1}"#)
        } during: { backend in
            let headers = [("Authorization", "Bearer k"), ("Content-Type", "application/json")]
            let request = HTTPRequest(
                url: backend.url + "/x", headers: headers, body: ByteBuffer(string: "hello"), timeouts: .generous)
            let response = try await client.send(request)
            #expect(response.head == HTTPResponseHead(status: 200, contentType: "application/json"))
            #expect(try await response.collect(upTo: 100) == ByteBuffer(string: #"{"a":1}"#))
            let seen = try #require(backend.requests.first)
            #expect(seen.line == "POST /v1/x HTTP/1.1")
            #expect(seen.body == "hello")
            #expect(seen.header("authorization") == "Bearer k")
            #expect(seen.header("accept-encoding") == "identity")
        }
    }

    @Test func aLongBodyIsNotHeldBackForAContinue() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", "{}")
        } during: { backend in
            let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: 3 << 20)
            let response = try await client.send(.init(url: backend.url, body: body, timeouts: .generous))
            #expect(response.head.status == 200)
            let seen = try #require(backend.requests.first)
            #expect(seen.body.utf8.count == 3 << 20)
            #expect(seen.header("expect") == nil)
        }
    }

    @Test func connectionsAreKeptAlive() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", "{}")
        } during: { backend in
            for _ in 0..<20 { _ = try await get(backend.url).collect(upTo: 10) }
            #expect(backend.requests.count == 20)
            #expect(backend.connections == 1)
        }
    }

    @Test func aKeptConnectionThatIsClosedIsReplacedEachTime() async throws {
        let count = NIOLockedValueBox(0)
        let script: ScriptedBackend.Script = { reply in
            let number = count.withLockedValue { count in
                count += 1
                return count
            }
            // The first request of each connection is answered, the second finds it closed.
            if number.isMultiple(of: 2) { try await reply.drop() } else { try await reply.answer("200 OK", "{}") }
        }
        try await ScriptedBackend.run(script) { backend in
            for _ in 0..<20 { _ = try await get(backend.url).collect(upTo: 10) }
            #expect(backend.connections == 20)
        }
    }

    @Test func aPeerThatAcknowledgesNothingIsNotWaitedForForEver() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", "{}")
        } during: { backend in
            _ = try await get(backend.url).collect(upTo: 10)
            let limits = (3..<1024).filter { remotePort(of: $0) == backend.port }.map { unacknowledgedLimit(of: $0) }
            #expect(limits == [30_000])
        }
    }

    /// Of a TCP socket over IPv4; nil of anything else.
    private func remotePort(of descriptor: CInt) -> Int? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout.size(ofValue: address))
        let code = withUnsafeMutableBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { getpeername(descriptor, $0.baseAddress, &size) }
        }
        return code == 0 && address.sin_family == AF_INET ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }

    private func unacknowledgedLimit(of socket: CInt) -> CUnsignedInt {
        var limit: CUnsignedInt = 0
        var size = socklen_t(MemoryLayout.size(ofValue: limit))
        getsockopt(socket, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, &size)
        return limit
    }

    @Test func aDiscardedRestKeepsTheConnection() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.beginChunks()
            try await reply.chunk("first")
            try await Task.sleep(for: .milliseconds(20))
            try await reply.chunk("second")
            try await reply.endChunks()
        }
        try await ScriptedBackend.run(script) { backend in
            for round in 1...3 {
                let response = try await get(backend.url)
                _ = try await response.next()
                response.discardRest()
                try await Task.sleep(for: .milliseconds(round == 3 ? 0 : 300))
            }
            #expect(backend.connections == 1)
        }
    }

    @Test func manyRequestsAtOnceAllSucceed() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", $0.request.body)
        } during: { backend in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let body = ByteBuffer(string: "\(number)")
                        let request = HTTPRequest(url: backend.url, body: body, timeouts: .generous)
                        return try await client.send(request).collect(upTo: 100) == body
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func aRedirectIsNotFollowed() async throws {
        let script: ScriptedBackend.Script = { reply in
            try await reply.answer("302 Found", extra: "Location: /elsewhere\r\n", "")
        }
        try await ScriptedBackend.run(script) { backend in
            let response = try await get(backend.url)
            #expect(response.head.status == 302)
            #expect(backend.requests.count == 1)
        }
    }

    @Test func retryAfterIsRead() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("429 X", extra: "Retry-After: 7\r\n", "")
        } during: {
            let response = try await get($0.url)
            #expect(response.head.retryAfter == "7")
        }
    }

    @Test(arguments: [
        ("7", Duration.seconds(7)), ("0.5", .milliseconds(500)), ("0", .zero), ("1e9", .seconds(86_400)),
        ("Fri, 31 Dec 2100 23:59:59 GMT", .seconds(86_400)), ("Sun, 06 Nov 1994 08:49:37 GMT", .zero),
        ("soon", nil), ("-1", nil), ("nan", nil), ("", nil), (nil, nil),
    ])
    func retryAfterIsADelayOrADate(text: String?, delay: Duration?) {
        #expect(HTTPResponseHead(status: 429, retryAfter: text).retryDelay == delay)
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense://x", ""])
    func onlyHTTPIsSpoken(url: String) async throws {
        await #expect(throws: HTTPClientError.self) { try await get(url) }
    }

    @Test func theEnvironmentsProxyIsIgnored() async throws {
        setenv("http_proxy", "http://127.0.0.1:1", 1)
        defer { unsetenv("http_proxy") }
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", "{}")
        } during: { backend in
            let client = try HTTPClient()
            let response = try await client.send(.init(url: backend.url, timeouts: .generous))
            #expect(response.head.status == 200)
        }
    }

    @Test func aHeaderCannotSmuggleAnother() async throws {
        try await ScriptedBackend.run {
            try await $0.answer("200 OK", "{}")
        } during: { backend in
            let request = HTTPRequest(url: backend.url, headers: [("A", "b\r\nC: d")], timeouts: .generous)
            await #expect(throws: HTTPClientError.invalidRequest("a header cannot be sent")) {
                try await client.send(request)
            }
            #expect(backend.requests.isEmpty)
        }
    }

    private func get(_ url: String) async throws -> HTTPResponse {
        try await client.send(HTTPRequest(url: url, timeouts: .generous))
    }
}

extension HTTPTimeouts {
    static let generous = HTTPTimeouts(
        connect: .seconds(10), firstByte: .seconds(30), idle: .seconds(30), total: .seconds(60))
}
