import CCurl
import NIOCore

/// What libcurl calls on the loop's thread: which sockets it waits for, and when it wants to be called.
extension CurlLoop {
    /// The loop outlives its multi handle, so libcurl's pointer to it is unretained.
    func installCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_multi_set_on_socket(
            multi,
            { _, socket, what, context, _ in
                CurlLoop.of(context)?.sockets.wait(for: what, on: socket)
                return 0
            }, context)
        _ = ccurl_multi_set_on_timer(
            multi,
            { _, milliseconds, context in
                CurlLoop.of(context)?.setTimer(milliseconds)
                return 0
            }, context)
    }

    static func of(_ context: UnsafeMutableRawPointer?) -> CurlLoop? {
        context.map { Unmanaged<CurlLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    private func setTimer(_ milliseconds: Int) {
        timer = milliseconds < 0 ? nil : NIODeadline.now().uptimeNanoseconds + UInt64(milliseconds) * 1_000_000
    }
}
