import NIOCore
import NIOPosix
import Testing

@testable import SharedProtocol

/// Frames as bytes: split anywhere, too long, or no frames at all.
@Suite struct FrameTests {
    /// Requests dripped one byte at a time are answered like any others.
    @Test func bytesMayDrip() async throws {
        try await withServer { path in
            let answers = try await blocking {
                let socket = try RawSocket(connectedTo: path)
                let request = RawSocket.framed(
                    #"{"id":7,"method":"test.echo","deadline_ms":1000,"unknown":[1],"params":{"text":"ü"}}"#)
                for byte in RawSocket.hello + request { socket.send([byte]) }
                return [socket.frame(), socket.frame()]
            }
            #expect(answers.first??.contains("\"hello\"") == true)
            #expect(answers.last == #"{"id":7,"result":{"text":"ü"}}"#)
        }
    }

    @Test(arguments: [
        Array("GET / HTTP/1.1\r\n\r\n".utf8),
        [0xFF, 0xFF, 0xFF, 0xFF],
        RawSocket.framed("not json"),
        RawSocket.framed("[1,2]"),
        RawSocket.framed(#"{"id":1}"#),
        RawSocket.framed(#"{"id":1,"method":"test.echo","params":{"text":"no hello yet"}}"#),
        RawSocket.framed(#"{"hello":{"version":99,"service":"web","instance":"x","pid":1}}"#),
        RawSocket.framed("{\"id\":1,\"method\":\"\u{0}\",\"params\":{}}"),
    ])
    func whatIsNoFrameClosesTheConnection(_ bytes: [UInt8]) async throws {
        try await withServer { path in
            let end = try await blocking {
                let socket = try RawSocket(connectedTo: path)
                _ = socket.frame()
                socket.send(bytes)
                return socket.frame()
            }
            #expect(end == nil)
            try await withClient(to: path) { client in
                let answer = try await echo("others", by: client)
                #expect(answer == "others")
            }
        }
    }

    @Test func aHalfClosedPeerIsForgotten() async throws {
        try await withServer { path in
            let end = try await blocking {
                let socket = try RawSocket(connectedTo: path)
                _ = socket.frame()
                socket.send(RawSocket.framed(#"{"hel"#).dropLast(2))
                socket.halfClose()
                return socket.frame()
            }
            #expect(end == nil)
        }
    }

    @Test func aCallOverTheFrameLimitIsRefusedBeforeItIsSent() async throws {
        try await withServer { path in
            try await withClient(to: path) { client in
                let text = String(repeating: "x", count: Frame.sizeLimit)
                let error = await #expect(throws: CallError.self) {
                    try await client.call(Echo(text: text), timeout: .seconds(5))
                }
                #expect(error?.code == .protocolViolation)
            }
        }
    }

    @Test func aFrameOfExactlyTheLimitPasses() throws {
        var decoder = FrameDecoder()
        try decoder.feed(ByteBuffer(integer: UInt32(Frame.sizeLimit))) { _ in Issue.record("nothing is complete") }
        var next = FrameDecoder()
        #expect(throws: CallError.self) { try next.feed(ByteBuffer(integer: UInt32(Frame.sizeLimit + 1))) { _ in } }
    }

    @Test func framesComeWholeHoweverTheirBytesAreCut() throws {
        let seed = TestSeed.next()
        var random = SeededGenerator(seed: seed)
        for round in 0..<200 {
            let frames = (0..<8).map { _ in String(repeating: "x", count: Int.random(in: 0...40, using: &random)) }
            var stream = ByteBuffer()
            for frame in frames { try stream.writeLengthPrefixed(as: UInt32.self) { $0.writeString(frame) } }
            var decoder = FrameDecoder()
            var decoded: [String] = []
            while stream.readableBytes > 0 {
                let count = min(stream.readableBytes, Int.random(in: 1...30, using: &random))
                guard let piece = stream.readSlice(length: count) else { break }
                try decoder.feed(piece) { decoded.append(String(buffer: $0)) }
            }
            #expect(decoded == frames, "seed \(seed), round \(round)")
        }
    }

    /// Any bytes either are a frame or are refused; no input traps, and what is encoded is decoded the same.
    @Test func randomBytesNeverTrap() throws {
        let seed = TestSeed.next()
        var random = SeededGenerator(seed: seed)
        let whole = Array(
            #"{"id":12,"method":"test.echo","request":"req_1","deadline_ms":5,"params":{"a":["\u00e9",1.5e3,null]},"body":{}}"#
                .utf8)
        for round in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                }
            }
            let frame = try? Frame(parsing: ByteBuffer(bytes: bytes))
            if bytes == whole {
                guard case .request(let request) = frame else {
                    Issue.record("seed \(seed), round \(round)")
                    return
                }
                #expect(request.id == 12)
            }
        }
    }
}
