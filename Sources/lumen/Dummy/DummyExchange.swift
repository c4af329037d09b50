import HTTPTypes
import Hummingbird
import NIOCore
import SharedProtocol

/// One request being answered: sends the reply at the pace and with the faults that its behaviour asks for, and keeps the
/// record of it.
struct DummyExchange: Sendable {
    let behaviour: Behaviour
    /// Of the record.
    let number: Int
    let observed: Observed
    let connection: ClientConnection

    /// Thrown to make the server close the connection without an end of the reply.
    private struct BrokenOff: Error {}

    /// Waits as long as nothing may be sent.
    func begin() async throws {
        connection.begin { observed.left(number) }
        try await connection.pause(behaviour.firstByteDelay.timeAmount)
        if behaviour.breakOff?.tokens == 0 { try await breakOff() }
    }

    func end() {
        connection.end()
        observed.ended(number)
    }

    /// Does nothing unless the behaviour says so.
    private func breakOff() async throws {
        switch behaviour.breakOff?.way {
        case nil: return
        case .stall: await connection.waitUntilLeft()
        case .drop: await connection.drop()
        }
        throw BrokenOff()
    }
}

// MARK: A whole reply

extension DummyExchange {
    func send(_ json: ByteBuffer, tokens: Int) async throws -> Response {
        try await connection.pause((behaviour.gap * tokens).timeAmount)
        guard behaviour.breakOff != nil || behaviour.isGarbage else {
            observed.sent(number, events: 0, tokens: tokens)
            end()
            let headers: HTTPFields = [.contentType: contentType("application/json")]
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: json))
        }
        return sendHalf(of: json)
    }

    /// The head announces the whole length unless the JSON itself is to be broken.
    private func sendHalf(of json: ByteBuffer) -> Response {
        let half = json.slice(0..<json.readableBytes / 2)
        let announced = behaviour.isGarbage ? half.readableBytes : json.readableBytes
        return Response(
            status: .ok, headers: [.contentType: contentType("application/json")],
            body: ResponseBody(contentLength: announced) { writer in
                try await writer.write(half)
                try await breakOff()
                end()
                try await writer.finish(nil)
            })
    }
}

// MARK: A stream

extension DummyExchange {
    func stream(_ reply: DummyReply, as rendering: DummyRendering, withUsage: Bool) -> Response {
        let headers: HTTPFields = [
            .contentType: contentType("text/event-stream; charset=utf-8"), .cacheControl: "no-cache",
        ]
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                try await sendTokens(of: reply, as: rendering, to: &writer)
                if behaviour.isGarbage {
                    try await writer.write(rendering.brokenEvent)
                } else if withUsage, let usage = reply.usage {
                    try await send(rendering.usage(usage), to: &writer)
                }
                end()
                try await writer.write(DummyRendering.done)
                try await writer.finish(nil)
            })
    }

    /// Every choice's first token, every choice's second, and so on, as a model that samples them together would.
    @concurrent private func sendTokens(
        of reply: DummyReply, as rendering: DummyRendering, to writer: inout any ResponseBodyWriter
    ) async throws {
        for (index, choice) in reply.choices.enumerated() where rendering.operation == .chat {
            try await send(rendering.role(choice: index), to: &writer)
            if let toolName = choice.toolName {
                try await send(rendering.toolCall(toolName, choice: index), to: &writer)
            }
        }
        var pace = Pace(gap: behaviour.gap)
        for step in 0..<reply.length {
            if step == behaviour.breakOff?.tokens { try await breakOff() }
            if step > 0 { try await pace.wait(on: connection) }
            for (index, choice) in reply.choices.enumerated() where step < choice.tokens.count {
                try await send(rendering.token(choice.tokens[step], choice: index), tokens: 1, to: &writer)
            }
        }
        // A reply shorter than where it is to break off breaks off at its end.
        try await breakOff()
        for (index, choice) in reply.choices.enumerated() {
            try await send(rendering.finish(choice.finishReason, choice: index), to: &writer)
        }
    }

    @concurrent private func send(
        _ event: ByteBuffer, tokens: Int = 0, to writer: inout any ResponseBodyWriter
    ) async throws {
        try await writer.write(event)
        observed.sent(number, events: 1, tokens: tokens)
    }

    private func contentType(_ usual: String) -> String { behaviour.isWrongType ? "text/html" : usual }
}

/// Keeps to a schedule, so that what sending takes does not add up.
private struct Pace {
    let gap: TimeAmount
    private var next = NIODeadline.now()

    init(gap: Duration) { self.gap = gap.timeAmount }

    mutating func wait(on connection: ClientConnection) async throws {
        guard gap > .zero else { return }
        next = next + gap
        try await connection.pause(until: next)
    }
}

extension DummyReply {
    /// Tokens of all choices.
    var tokens: Int { choices.reduce(0) { $0 + $1.tokens.count } }
    /// Tokens of the longest choice.
    fileprivate var length: Int { choices.map(\.tokens.count).max() ?? 0 }
}
