import NIOCore
import Testing

@testable import SharedProtocol

@Suite struct BriefReceiveBuffersTests {
    /// As a channel reads, with `maxMessagesPerRead` of 1.
    private var pool = NIOPooledRecvBufferAllocator(capacity: 1, recvAllocator: BriefReceiveBuffers(firstSize: 128))

    @Test mutating func aHeldFirstReadIsAllThatTheChannelKeeps() {
        let first = read(100)
        #expect(first.storageCapacity == 128)
        #expect(read(1500).storageCapacity == 2048)
        // What the pool kept is what is held: with it, it gives out another again.
        let third = read(1500)
        #expect(third.storageCapacity == 2048)
        #expect(pool.count == 1)
        #expect(first.readableBytes == 100)
    }

    private mutating func read(_ count: Int) -> ByteBuffer {
        let (buffer, _) = pool.buffer(allocator: ByteBufferAllocator()) { $0.writeRepeatingByte(0, count: count) }
        pool.record(actualReadBytes: count)
        return buffer
    }
}

@Suite struct CallBodyTests {
    @Test func aBodyIsTakenOnce() {
        let body = CallBody(ByteBuffer(string: "{}"))
        #expect(body.take() == ByteBuffer(string: "{}"))
        #expect(body.take() == nil)
    }
}
