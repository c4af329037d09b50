import NIOCore
import Testing

@testable import SharedProtocol

/// Messages with coders of their own write and read what synthesized coders would: each with all of its members and with as
/// few as it may have.
@Suite struct WireObjectTests {
    static let account = Ledger.Account(
        user: UserID(-7), groups: [GroupName("default"), GroupName("a \"b\"\n")], created: Timestamp(1_700_000_000_000))
    static let usage = Ledger.Usage(
        prompt: 1, completion: 2, isEstimated: true, endpoint: "https://é.example/v1", started: Timestamp(3),
        durationMs: 4, firstTokenMs: 5, outcome: .completed)
    static let failure = Router.Failure(.rejected, "no", status: 400, code: "c", type: "t", param: "p", retryAfterMs: 9)

    static let samples: [any WireObject] = [
        account,
        Ledger.Account(user: UserID(.max), groups: [], created: Timestamp(.min)),
        Ledger.Reserve(
            request: RequestID("req_1"), owner: InstanceID("web"), account: account, key: KeyID(4), keyCap: 5,
            source: .api, model: ModelName("a/b"), promptBound: 6, outputs: 7, outputLimit: 8),
        Ledger.Reserve(
            request: RequestID(""), owner: InstanceID(""), account: account, key: nil, source: .chat,
            model: ModelName("\u{1F600}"), promptBound: 0, outputs: 0, outputLimit: 0),
        Ledger.Decision.granted(Ledger.Grant(reserved: 1, outputLimit: 2, limitedBy: .group)),
        Ledger.Decision.granted(Ledger.Grant(reserved: 1, outputLimit: 2)),
        Ledger.Decision.refused(
            Ledger.Refusal(reason: .insufficient, limitedBy: .key, remaining: 1, retryAfterMs: 2, needed: 3, max: 4)),
        Ledger.Post(
            request: RequestID("req_2"), account: account, key: KeyID(1), keyCap: 2, source: .api,
            model: ModelName("m"), usage: usage),
        Ledger.Post(
            request: RequestID("req_3"), account: account, key: nil, source: .chat, model: ModelName("m"), usage: usage),
        usage,
        Ledger.Usage(
            prompt: 0, completion: 0, isEstimated: false, endpoint: nil, started: Timestamp(0), durationMs: 0,
            firstTokenMs: nil, outcome: .lost),
        Ledger.Receipt(billed: 1, writtenOff: 2, cost: -3),
        Router.Complete(
            model: ModelName("m"), operation: .chatCompletions, isStream: true, outputLimit: 1,
            outputLimitField: "max_tokens", relaysUsage: true),
        Router.Complete(
            model: ModelName("m"), operation: .embeddings, isStream: false, outputLimit: nil, outputLimitField: nil,
            relaysUsage: false),
        Router.Completion(
            failure: failure, isCancelled: true, endpoint: "e", usage: Router.ReportedUsage(prompt: 1, completion: 2),
            contentEvents: 3, contentBytes: 4),
        Router.Completion(),
    ]

    @Test(arguments: samples.indices) func writesAsSynthesizedCodersDo(index: Int) throws {
        let sample = Self.samples[index]
        #expect(try written(sample) == synthesized(sample))
    }

    /// A new member is absent unless the samples have it, and would pass the other tests unread and unwritten.
    @Test func theSamplesHaveEveryMember() {
        var absent: [String: Set<String>] = [:]
        for sample in Self.samples {
            let type = "\(type(of: sample))"
            let nils = Swift.Mirror(reflecting: sample).children.filter { member in
                let value = Swift.Mirror(reflecting: member.value)
                return value.displayStyle == .optional && value.children.isEmpty
            }.compactMap(\.label)
            absent[type] = absent[type]?.intersection(nils) ?? Set(nils)
        }
        #expect(absent.filter { !$0.value.isEmpty } == [:])
    }

    @Test(arguments: samples.indices) func readsWhatItWrote(index: Int) throws {
        let json = try synthesized(Self.samples[index])
        #expect(try synthesized(reading(json, as: Self.samples[index])) == json)
    }

    @Test(arguments: samples.indices) func readsAsSynthesizedCodersDoWhateverTheOrder(index: Int) throws {
        let json = try synthesized(Self.samples[index])
        for rotation in 0..<16 {
            let other = try #require(Self.rotated(json, by: rotation))
            #expect(try synthesized(reading(other, as: Self.samples[index])) == json)
        }
    }

    /// The members of an object moved on by some places, with one that is unknown and one that is null before them.
    private static func rotated(_ json: String, by places: Int) -> String? {
        var members: [String] = []
        let bytes = Array(json.utf8)
        let scanned: Void? = try? bytes.withUnsafeBytes { bytes in
            var scan = JSONScan(bytes)
            try scan.object { name, scan throws(JSONScanError) in
                let value = try scan.skip()
                members.append(String(decoding: bytes[name.position..<value.upperBound], as: UTF8.self))
            }
        }
        if scanned == nil { return nil }
        let shift = members.isEmpty ? 0 : places % members.count
        let turned = members[shift...] + members[..<shift]
        return "{" + (["\"unknown\":[{}]", "\"nothing\":null"] + turned).joined(separator: " , ") + "}"
    }

    @Test func aMemberThatIsNullIsAbsent() throws {
        let grant = try Ledger.Grant(json: #"{"reserved":1,"outputLimit":2,"limitedBy":null}"#)
        #expect(grant.limitedBy == nil)
    }

    @Test(arguments: [
        #"{"reserved":1}"#, #"{"reserved":1,"outputLimit":null}"#, #"{"reserved":1,"outputLimit":"2"}"#,
        #"{"reserved":1,"outputLimit":2.0}"#, #"{"reserved":1,"outputLimit":9223372036854775808}"#,
        #"{"reserved":1,"outputLimit":2,"limitedBy":3}"#, #"[1,2]"#, #"{"reserved":1,"outputLimit":2"#,
        #"{"reserved":1,"outputLimit":2} "x""#, "",
    ])
    func whatDoesNotFitIsRefused(json: String) {
        #expect(throws: (any Error).self) { try Ledger.Grant(json: json) }
    }

    @Test func aDecisionIsOneOfTwo() {
        #expect(throws: (any Error).self) { try Ledger.Decision(json: #"{"granted":{}}"#) }
        #expect(throws: (any Error).self) { try Ledger.Decision(json: "{}") }
    }

    private func written(_ message: any WireValue) throws -> String {
        var buffer = ByteBuffer()
        try buffer.writeJSON(message)
        return String(buffer: buffer)
    }

    private func synthesized(_ message: any WireValue) throws -> String {
        var buffer = ByteBuffer()
        try MessageEncoder.encode(message, into: &buffer)
        return String(buffer: buffer)
    }

    private func reading<Value: WireValue>(_ json: String, as sample: Value) throws -> Value { try Value(json: json) }
}

extension WireValue {
    fileprivate init(json: String) throws { self = try ByteBuffer(string: json).decodeJSON(Self.self) }
}
