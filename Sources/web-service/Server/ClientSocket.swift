import Glibc
import NIOCore

/// What web asks of a client's TCP connection itself.
enum ClientSocket {
    /// Bytes of a reply that the kernel may hold unsent. What is on its way comes on top, and so fast clients stay fast; but a
    /// backend must not produce megabytes, which are billed, for one that hardly reads.
    static let unsentLimit: CInt = 128 << 10

    /// To be called once, on the channel's event loop.
    static func limitUnsent(on channel: any Channel) {
        guard let socket = channel as? any SocketOptionProvider else { return }
        _ = socket.unsafeSetSocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT), value: unsentLimit)
    }

    /// How much the client's machine has taken so far, in bytes; 0 where the kernel does not say. On the channel's event loop.
    static func bytesTaken(on channel: any Channel) -> UInt64 {
        guard let socket = channel as? any SocketOptionProvider else { return 0 }
        let information: EventLoopFuture<Information> = socket.unsafeGetSocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_INFO))
        var taken: UInt64 = 0
        // Completed at once: the caller is on the channel's event loop.
        information.assumeIsolated().whenSuccess { taken = $0.bytesAcknowledged }
        return taken
    }

    /// The begin of Linux's `struct tcp_info`, of which the C library's header shows less.
    private struct Information {
        /// 8 one-byte and 24 four-byte members, and two rates.
        var others: InlineArray<15, UInt64> = InlineArray(repeating: 0)
        var bytesAcknowledged: UInt64 = 0
    }
}
