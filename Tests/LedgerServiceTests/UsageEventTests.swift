import Storage
import StorageTesting
import Testing

@testable import SharedProtocol
@testable import ledger_service

@Suite(.bothEngines) struct UsageEventTests {
    @Test func pagesGoFromTheNewestToTheOldest() async throws {
        let ledger = try await TestLedger([.test("default", .unlimited)])
        for count in 1...5 {
            _ = try await ledger.call(Ledger.Post.test(.random(), completion: TokenCount(Int64(count))))
            _ = try await ledger.call(Ledger.Post.test(.random(), .test(2), completion: 99))
        }
        var seen: [TokenCount] = []
        var before: Int64?
        while true {
            let page = try await ledger.call(Ledger.Events(user: UserID(1), before: before, limit: 2))
            guard let last = page.last else { break }
            seen += page.map(\.usage.completion)
            before = last.id
        }
        #expect(seen == [5, 4, 3, 2, 1])
    }

    @Test func aMonthsEventsArePagedAlone() async throws {
        let ledger = try await TestLedger([.test("default", .unlimited)])
        for count in 1...6 {
            // Two in May, two in June, two in July.
            _ = try await ledger.call(Ledger.Post.test(.random(), completion: TokenCount(Int64(count))))
            ledger.clock.pass(count % 2 == 0 ? 31 * 86_400_000 : 1)
        }
        var seen: [TokenCount] = []
        var before: Int64?
        while true {
            let call = Ledger.Events(user: UserID(1), before: before, limit: 1, month: Month(rawValue: "2026-06"))
            guard let last = try await ledger.call(call).last else { break }
            seen.append(last.usage.completion)
            before = last.id
        }
        #expect(seen == [4, 3])
    }

    @Test func anEventSaysWhatThePostSaid() async throws {
        let ledger = try await TestLedger([.test("default", .unlimited)], [.test("small", output: 2_000_000)])
        let post = Ledger.Post.test(.random(), prompt: 3, completion: 4, endpoint: "gpu-1")
        let receipt = try await ledger.call(post)
        let events = try await ledger.call(Ledger.Events(user: UserID(1), before: nil, limit: 200))
        #expect(
            events == [
                Ledger.UsageEvent(
                    id: 1, request: post.request, key: KeyID(7), source: .api, model: ModelName("small"),
                    usage: post.usage, billed: 7, writtenOff: 0, cost: 8)
            ])
        #expect(receipt.cost == 8)
    }

    @Test(arguments: [0, 201, -1])
    func aPageHasBetweenOneAndTwoHundredEvents(limit: Int) async throws {
        let ledger = try await TestLedger([])
        let error = await #expect(throws: CallError.self) {
            try await ledger.call(Ledger.Events(user: UserID(1), before: nil, limit: limit))
        }
        #expect(error?.code == .invalidParams)
    }
}
