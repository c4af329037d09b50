import CCurl
import Glibc

/// The options that are the same for every request.
extension EasyHandle {
    /// After this many seconds without traffic a connection is probed, and then each so many seconds.
    private static let keepAliveIdle = 30
    private static let keepAliveInterval = 15
    /// Bytes that the peer's machine has not acknowledged for this long, in milliseconds, mean that it is gone: without it a
    /// connection that was kept would look alive for a quarter of an hour.
    private static let unacknowledgedLimit: CUnsignedInt = 30_000

    /// The loop outlives the connections and this object its easy handle, so libcurl's pointers are unretained.
    func setFixedOptions(_ loop: CurlLoop) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let loopContext = Unmanaged.passUnretained(loop).toOpaque()
        // A paused HTTP/2 stream would keep filling its window.
        _ = ccurl_set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        _ = ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_long(easy, CURLOPT_TCP_NODELAY, 1)
        _ = ccurl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        _ = ccurl_set_long(easy, CURLOPT_TCP_KEEPIDLE, Self.keepAliveIdle)
        _ = ccurl_set_long(easy, CURLOPT_TCP_KEEPINTVL, Self.keepAliveInterval)
        _ = ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        _ = ccurl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        // Empty, not unset: else libcurl would follow the environment's http_proxy.
        _ = ccurl_set_text(easy, CURLOPT_PROXY, "")
        _ = ccurl_set_text(easy, CURLOPT_USERAGENT, "lumen")
        _ = ccurl_set_pointer(easy, CURLOPT_PRIVATE, context)
        _ = ccurl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        _ = ccurl_set_on_write(easy) { bytes, size, count, context in
            EasyHandle.at(context)?.received(UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
        }
        _ = ccurl_set_pointer(easy, CURLOPT_SOCKOPTDATA, loopContext)
        _ = ccurl_set_on_open_socket(easy) { context, socket, _ in
            CurlLoop.of(context)?.sockets.opened(socket)
            var limit = EasyHandle.unacknowledgedLimit
            setsockopt(
                socket, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, socklen_t(MemoryLayout.size(ofValue: limit)))
            return CURL_SOCKOPT_OK
        }
        _ = ccurl_set_pointer(easy, CURLOPT_CLOSESOCKETDATA, loopContext)
        _ = ccurl_set_on_close_socket(easy) { context, socket in
            CurlLoop.of(context)?.sockets.close(socket) ?? -1
        }
    }
}

extension HTTPClientError {
    init(_ code: CURLcode) {
        let reason = String(cString: ccurl_easy_strerror(code))
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT:
            self = .connectFailed(reason)
        // The only time-out that is libcurl's.
        case CURLE_OPERATION_TIMEDOUT: self = .timedOut(.connect)
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE: self = .dropped(reason)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
            self = .tls(reason)
        case CURLE_URL_MALFORMAT: self = .invalidRequest(reason)
        case CURLE_OUT_OF_MEMORY: self = .overloaded
        default: self = .invalidResponse(reason)
        }
    }
}
