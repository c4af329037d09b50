import NIOCore

/// Buffers for what a channel receives, none of which it keeps. NIO keeps the buffer of a channel's first read, 2 KiB, and uses
/// it again unless somebody else holds it. So the first read is a short one, and for as long as the handler holds what it
/// brought, each later read has a buffer of its own, which goes with its bytes. That takes a reading of one buffer at a time.
public struct BriefReceiveBuffers: RecvByteBufferAllocator {
    private let firstSize: Int
    private var isFirst = true
    private var later = AdaptiveRecvByteBufferAllocator()

    init(firstSize: Int) { self.firstSize = firstSize }

    /// To be called before the channel reads.
    ///
    /// - Parameter firstSize: of the buffer that is kept, in bytes.
    public static func use(on channel: any Channel, firstSize: Int) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.maxMessagesPerRead, value: 1)
        try options.setOption(.recvAllocator, value: BriefReceiveBuffers(firstSize: firstSize))
    }

    public func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: firstSize) : later.buffer(allocator: allocator)
    }

    public func nextBufferSize() -> Int? { isFirst ? firstSize : later.nextBufferSize() }

    public mutating func record(actualReadBytes: Int) -> Bool {
        guard isFirst else { return later.record(actualReadBytes: actualReadBytes) }
        isFirst = false
        return true
    }
}
