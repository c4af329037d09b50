import NIOCore

/// The product's one HTTP client: libcurl's multi interface on a thread of its own, behind async calls.
///
/// HTTP/1.1 only, connections kept alive and pooled for the client's life. A response is pulled: what the backend sends
/// waits in a bounded buffer, and while that is full the backend is not read. No redirects, no cookies, no proxy from the
/// environment, nothing but http and https.
///
/// ```swift
/// let response = try await client.send(HTTPRequest(url: url, headers: headers, body: .json(body), timeouts: timeouts))
/// while let bytes = try await response.next() { … }
/// ```
public final class HTTPClient: Sendable {
    /// Transfers that may run at once; one more fails with `overloaded`.
    public static let transferLimit = 16_384

    private let inbox: Inbox

    /// Starts the thread. Throws `cannotStart` when the process is out of descriptors or threads.
    public init() throws(HTTPClientError) {
        inbox = try Inbox()
        try CurlThread.start(inbox)
    }

    deinit {
        inbox.submit(.stop(nil))
    }

    /// Sends the request and waits for the response's head, which is there when the first byte of the body is, or the end.
    /// Cancelling the task closes the backend's connection.
    public func send(_ request: consuming HTTPRequest) async throws(HTTPClientError) -> HTTPResponse {
        try await begin(request).response()
    }

    /// Sends the request without waiting, for whoever wants to give up on it from elsewhere. The response must be asked for.
    public func begin(_ request: consuming HTTPRequest) throws(HTTPClientError) -> HTTPExchange {
        let transfer = Transfer(inbox)
        if !inbox.submit(.start(transfer, request)) { throw .closed }
        return HTTPExchange(transfer)
    }

    /// Ends what is running with `closed`, closes every connection and returns when the thread has let go of all.
    public func close() async {
        await withCheckedContinuation { continuation in
            if !inbox.submit(.stop(continuation)) { continuation.resume() }
        }
    }
}

/// A request that has been sent and not been answered yet.
public struct HTTPExchange: Sendable {
    private let transfer: Transfer

    init(_ transfer: Transfer) { self.transfer = transfer }

    /// Waits for the response's head; once.
    public func response() async throws(HTTPClientError) -> HTTPResponse {
        HTTPResponse(try await transfer.head(), of: transfer)
    }

    /// Closes the connection; `response()` throws `cancelled`, or what is left of its response does.
    public func cancel() { transfer.cancel() }
}
