import CCurl
import NIOCore

/// One of libcurl's easy handles and the transfer that runs on it. Made once, used for many requests: the options that
/// never change are set in `EasyHandle+Options.swift`, those of a request in `begin`.
final class EasyHandle {
    /// How long a discarded response may go on before its connection is closed, in nanoseconds.
    static let discardTime: UInt64 = 1_000_000_000

    let easy: UnsafeMutableRawPointer
    private unowned let loop: CurlLoop
    private(set) var transfer: Transfer?
    /// Where the loop keeps it.
    var index = 0
    /// Whether the loop already knows that the reader is to be woken.
    var isTouched = false

    /// Owns the bytes that libcurl has a pointer to.
    private var body: Unmanaged<AnyObject>?
    private var bodySize: curl_off_t = 0
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var clock = TransferClock()
    /// Connections that the loop had closed when the request began.
    private var closings = 0

    init?(_ loop: CurlLoop) {
        guard let easy = ccurl_easy_init() else { return nil }
        self.easy = easy
        self.loop = loop
        setFixedOptions(loop)
    }

    deinit {
        reset()
        ccurl_easy_cleanup(easy)
    }

    /// The handle that a pointer of libcurl's belongs to.
    static func of(_ easy: UnsafeMutableRawPointer?) -> EasyHandle? {
        var context: UnsafeMutableRawPointer?
        guard let easy, ccurl_get_private(easy, &context) == CURLE_OK else { return nil }
        return at(context)
    }

    static func at(_ context: UnsafeMutableRawPointer?) -> EasyHandle? {
        context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Prepares the handle for the request; returns what is wrong with it.
    func begin(_ transfer: Transfer, _ request: HTTPRequest) -> HTTPClientError? {
        guard let headers = Self.list(request.headers) else { return .invalidRequest("a header cannot be sent") }
        self.headers = headers
        _ = ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, headers)
        if ccurl_set_text(easy, CURLOPT_URL, request.url) != CURLE_OK { return .invalidRequest("the URL is too long") }
        // 0 would mean libcurl's own default of five minutes.
        _ = ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(request.timeouts.connect / .milliseconds(1))))
        _ = ccurl_set_long(easy, CURLOPT_BUFFERSIZE, request.readSize)
        if let bytes = request.body {
            point(to: bytes)
        } else {
            _ = ccurl_set_long(easy, CURLOPT_HTTPGET, 1)
        }
        clock = TransferClock(request.timeouts, start: loop.now)
        closings = loop.sockets.closings
        self.transfer = transfer
        transfer.handle = self
        return nil
    }

    /// Forgets the request; libcurl must not be using the handle.
    func reset() {
        transfer?.handle = nil
        transfer = nil
        isTouched = false
        _ = ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, nil)
        releaseBody()
        bodySize = 0
        releaseHeaders()
        forgetRetries()
    }

    /// A request that finds its kept connection closed is sent once more by libcurl, but no more than five in the life of a
    /// handle, unless it is reset. That costs time, and is in vain while no connection has been closed.
    private func forgetRetries() {
        if loop.sockets.closings == closings { return }
        ccurl_easy_reset(easy)
        setFixedOptions(loop)
    }

    /// The reader has taken what there was.
    func unpause() {
        clock.resumed(at: loop.now)
        ccurl_easy_pause(easy, CURLPAUSE_CONT)
    }

    /// The reader has left, but the connection is worth waiting for.
    func discard() {
        clock.endsAt(loop.now + Self.discardTime)
        ccurl_easy_pause(easy, CURLPAUSE_CONT)
    }

    /// Which time-out has passed, if any.
    func overduePhase(_ now: UInt64) -> HTTPClientError.Phase? {
        clock.overduePhase(now)
    }

    /// What libcurl's result means.
    func end(after code: CURLcode) -> TransferState.End {
        if code != CURLE_OK { return .failed(HTTPClientError(code)) }
        takeHead()
        return .complete
    }

    /// libcurl's write callback.
    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let transfer else { return 0 }
        takeHead()
        if !isTouched {
            isTouched = true
            loop.touch(transfer)
        }
        switch transfer.received(bytes) {
        case .taken:
            clock.received(at: loop.now)
            return bytes.count
        case .pause:
            clock.paused()
            return Int(CURL_WRITEFUNC_PAUSE)
        case .refuse: return 0
        }
    }
}

extension EasyHandle {
    /// The response has begun: its head is complete, and libcurl will not send the request again.
    private func takeHead() {
        if clock.hasFirstByte { return }
        clock.received(at: loop.now)
        transfer?.received(responseHead())
        var sent: curl_off_t = 0
        _ = ccurl_get_offset(easy, CURLINFO_SIZE_UPLOAD_T, &sent)
        if sent == bodySize { releaseBody() }
        releaseHeaders()
    }

    private func responseHead() -> HTTPResponseHead {
        var status = 0
        _ = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return HTTPResponseHead(status: status, contentType: header("content-type"), retryAfter: header("retry-after"))
    }

    private func header(_ name: StaticString) -> String? {
        var found: UnsafeMutablePointer<curl_header>?
        let code = name.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                ccurl_easy_header(easy, $0.baseAddress, 0, UInt32(CURLH_HEADER), -1, &found)
            }
        }
        guard code == CURLHE_OK, let value = found?.pointee.value else { return nil }
        return String(cString: value)
    }

    /// Hands libcurl the bytes without copying them: they belong to a heap object, which is retained meanwhile.
    private func point(to bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytesWithStorageManagement { pointer, owner in
            body = owner.retain()
            bodySize = curl_off_t(pointer.count)
            _ = ccurl_set_long(easy, CURLOPT_POST, 1)
            _ = ccurl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, bodySize)
            _ = ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, pointer.baseAddress)
        }
    }

    private func releaseBody() {
        body?.release()
        body = nil
    }

    private func releaseHeaders() {
        if headers == nil { return }
        _ = ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, nil)
        ccurl_slist_free_all(headers)
        headers = nil
    }

    /// nil when a name or value has a control character, with which it could smuggle in another header.
    private static func list(_ headers: [(name: String, value: String)]) -> UnsafeMutablePointer<curl_slist>? {
        // An empty Expect: libcurl would wait a second for a "100 Continue" before long bodies.
        var list = ccurl_slist_append(nil, "Expect:")
        list = ccurl_slist_append(list, "Accept-Encoding: identity")
        for (name, value) in headers {
            let line = "\(name): \(value)"
            if line.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
                ccurl_slist_free_all(list)
                return nil
            }
            list = ccurl_slist_append(list, line)
        }
        return list
    }
}
