import CCurl
import Glibc

/// The thread that all of libcurl's work happens on.
enum CurlThread {
    /// Whether there is a libcurl; loads it, once per process.
    static let isLibraryLoaded = ccurl_load() != 0
    /// libcurl's own set-up, once per process and before any thread of ours uses it.
    private static let isGlobalReady = isLibraryLoaded && ccurl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    static func start(_ inbox: Inbox) throws(HTTPClientError) {
        guard isGlobalReady else { throw .cannotStart("libcurl 7.85 or later is not installed") }
        guard let loop = CurlLoop(inbox) else { throw .cannotStart("curl_multi_init or epoll: error \(errno)") }
        let context = Unmanaged.passRetained(loop)
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, { CurlThread.main($0) }, context.toOpaque())
        if code != 0 {
            context.release()
            throw .cannotStart("pthread_create: error \(code)")
        }
        pthread_detach(thread)
    }

    private static func main(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        // Signals are the business of other threads; OpenSSL's writes could raise SIGPIPE here.
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let loop = Unmanaged<CurlLoop>.fromOpaque(context).takeRetainedValue()
        loop.run()
        return nil
    }
}
