import Foundation
import Testing

@testable import SharedProtocol
@testable import ledger_service

/// The short form of `make prove`. One round again: `PROVE_SEED=… PROVE_REQUESTS=200 SWIFT_DETERMINISTIC_HASHING=1
/// swift test --filter SimulationTests`.
struct SimulationTests {
    private static let requestsOfARound = 200

    @Test func noInterleavingOverspendsLosesOrLeaks() async throws {
        let environment = ProcessInfo.processInfo.environment
        let requests = environment["PROVE_REQUESTS"].flatMap { Int($0) } ?? 4_000
        var seeds = SplitMix(state: environment["PROVE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max))
        var tally = Tally()
        while tally.requests < requests {
            // The first round's seed is the one that is given, so that a failed one can be run again.
            let seed = seeds.state
            _ = seeds.next()
            do {
                var simulation = try Simulation(seed: seed)
                try simulation.run(requests: Self.requestsOfARound)
                tally.add(simulation.tally)
            } catch {
                Issue.record("PROVE_SEED=\(seed): \(error)")
                return
            }
            // Other tests share the few threads, and wait for no longer than their time limits.
            await Task.yield()
        }
        print("simulation:", tally)
        #expect(tally.overspent == 0 && tally.lostPosts == 0 && tally.leaked == 0)
        #expect(tally.billed > 0 && tally.failedCommits > 0 && tally.ledgerCrashes > 0, "nothing happened")
    }
}
