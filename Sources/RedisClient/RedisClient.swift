import NIOCore
import SharedProtocol

/// Runs one Lua script in Redis for many callers: hiredis on a thread of its own, behind an async call. The calls of all
/// callers go through one connection, pipelined; it is made again by itself when it is lost.
public final class RedisClient: Sendable {
    /// How long a caller waits at most. With the wake-ups of two threads it goes on within 50 ms.
    public static let answerLimit = TimeAmount.milliseconds(45)
    /// Calls whose answers have not come; one more fails with `overloaded`.
    public static let callLimit = 4_096
    /// A connection that owes an answer for so long is given up, and so is one that is being made.
    static let silenceLimit = TimeAmount.seconds(2)
    /// Waits between attempts to connect: each twice the one before, from the first to the last of these.
    static let shortestBackoff = TimeAmount.milliseconds(20)
    static let longestBackoff = TimeAmount.seconds(1)

    private let inbox: RedisInbox
    private let answerLimit: TimeAmount

    /// Starts the thread, which begins to connect. Throws `cannotStart` only.
    ///
    /// - Parameter script: answers with an array of integers.
    public init(
        to address: RedisAddress, script: String, answerLimit: TimeAmount = answerLimit
    ) throws(RedisError) {
        self.answerLimit = answerLimit
        inbox = try RedisInbox()
        try RedisThread.start(inbox, address, script)
    }

    deinit { inbox.stop(nil) }

    /// Whether there is a connection with everything set up.
    public var isReady: Bool { inbox.isReady }

    /// Runs the script. Returns or throws within the time limit; cancelling the task changes nothing.
    public func run(keys: [String], arguments: [Int]) async throws(RedisError) -> [Int] {
        let deadline = NIODeadline.now() + answerLimit
        let tail = RedisCommand(["\(keys.count)"] + keys + arguments.map { "\($0)" })
        let result = await withCheckedContinuation { continuation in
            inbox.submit(RedisCall(tail: tail, deadline: deadline, continuation: continuation))
        }
        return try result.get()
    }

    /// Ends what is waited for with `away`, and returns when the thread has let go of everything.
    public func close() async {
        await withCheckedContinuation { inbox.stop($0) }
    }
}

/// One call on its way to the thread. Its continuation is resumed once, by whoever holds the call.
struct RedisCall: Sendable {
    /// What follows the script: the number of keys, the keys, the arguments.
    let tail: RedisCommand
    let deadline: NIODeadline
    let continuation: CheckedContinuation<Result<[Int], RedisError>, Never>
}
