import CHiredis

/// The words of a command, in one piece of memory.
struct RedisCommand: Sendable {
    private var bytes: [UInt8] = []
    private var lengths: [Int] = []

    init(_ words: [String]) {
        for word in words {
            bytes += word.utf8
            lengths.append(word.utf8.count)
        }
    }

    static func + (head: RedisCommand, tail: RedisCommand) -> RedisCommand {
        var command = head
        command.bytes += tail.bytes
        command.lengths += tail.lengths
        return command
    }

    /// Copies the command into the context's output.
    ///
    /// - Returns: false when the connection is being closed; the function is not called then.
    func write(
        to context: UnsafeMutablePointer<redisAsyncContext>,
        _ function:
            @escaping @convention(c) (
                UnsafeMutablePointer<redisAsyncContext>?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
            ) -> Void, _ argument: UnsafeMutableRawPointer
    ) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            var words = lengths.map { length in
                defer { offset += length }
                // An empty word at the end has no byte to point at; its length says so.
                return bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: CChar.self)
            }
            return redisAsyncCommandArgv(context, function, argument, Int32(lengths.count), &words, lengths) == REDIS_OK
        }
    }
}

/// What Redis answered.
enum RedisReply {
    case integers([Int])
    case text(String)
    case error(String)
    /// Something that no command of ours has as its answer.
    case other
    /// The connection ended first.
    case lost

    /// Longest text of an error that is kept, in characters.
    private static let longestError = 200

    /// Copies the answer, which is freed after hiredis' callback.
    init(_ reply: UnsafeMutableRawPointer?) {
        guard let reply = reply?.assumingMemoryBound(to: redisReply.self).pointee else {
            self = .lost
            return
        }
        switch reply.type {
        case REDIS_REPLY_ERROR: self = .error(String(Self.text(of: reply).prefix(Self.longestError)))
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: self = .text(Self.text(of: reply))
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: reply.element, count: Int(reply.elements))
            let integers = elements.compactMap { element in
                element.flatMap { $0.pointee.type == REDIS_REPLY_INTEGER ? Int($0.pointee.integer) : nil }
            }
            self = integers.count == elements.count ? .integers(integers) : .other
        default: self = .other
        }
    }

    private static func text(of reply: redisReply) -> String {
        String(decoding: UnsafeRawBufferPointer(start: reply.str, count: Int(reply.len)), as: UTF8.self)
    }
}
