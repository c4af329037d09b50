import Glibc
import NIOCore
import NIOPosix

/// What a connection tells whoever dialled it; all on the connection's event loop.
protocol ClientConnectionDelegate: AnyObject, Sendable {
    /// The peer said hello; frames may be sent.
    func connected(_ outbox: Outbox, to peer: InstanceID)
    /// A frame came. False: stop reading until `channel.read()` is called.
    func received(_ frame: Frame) throws(CallError) -> Bool
    /// The connection is gone, or never came to be. Called once.
    ///
    /// - Parameter isAbsent: nobody listens at the path.
    func disconnected(isAbsent: Bool)
}

/// One connection to a peer: dials, exchanges hellos, and hands frames to its delegate.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// A peer that accepts but does not say hello within this time is hung: the connection is closed. As long as anybody waits
    /// for it: a busy peer that is dialled again and again has only more to do.
    static let helloTimeout = TimeAmount.seconds(2)
    /// Of the first reads, in bytes: an event has some hundred, and thousands of streams are open. It grows with what comes,
    /// up to 64 KiB.
    static let readSize = 512

    private let delegate: any ClientConnectionDelegate
    private let hello: ByteBuffer
    private let outbox: Outbox
    private var frames = FrameDecoder()
    private var helloTimer: Scheduled<Void>?
    private var mayRead = true

    private init(_ channel: any Channel, hello: ByteBuffer, delegate: any ClientConnectionDelegate) {
        self.delegate = delegate
        self.hello = hello
        outbox = Outbox(channel)
    }

    /// Tries once; the delegate hears of success or failure.
    static func dial(
        _ path: String, on loop: any EventLoop, hello: ByteBuffer, delegate: any ClientConnectionDelegate
    ) {
        ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: readSize, initial: readSize, maximum: 64 << 10)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ClientConnection(channel, hello: hello, delegate: delegate))
                }
            }
            .connect(unixDomainSocketPath: path)
            .whenFailure { error in
                let code = (error as? IOError)?.errnoCode
                delegate.disconnected(isAbsent: code == ENOENT || code == ECONNREFUSED)
            }
    }

    func channelActive(context: ChannelHandlerContext) {
        outbox.send(hello)
        context.read()
        helloTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.helloTimeout) {
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        mayRead = true
        do {
            try frames.feed(unwrapInboundIn(data)) { json in
                let frame = try Frame(parsing: json)
                if case .hello(let hello) = frame {
                    try greeted(hello)
                } else {
                    mayRead = try delegate.received(frame) && mayRead
                }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    private func greeted(_ hello: Frame.Hello) throws(CallError) {
        guard hello.version == Frame.version else {
            throw CallError(.protocolViolation, "the peer speaks version \(hello.version) of the protocol")
        }
        helloTimer?.cancel()
        delegate.connected(outbox, to: hello.instance)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if mayRead { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { outbox.writabilityChanged() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        helloTimer?.cancel()
        outbox.close()
        delegate.disconnected(isAbsent: false)
    }
}
