import Storage

@testable import SharedProtocol

/// What a simulation came to.
struct Tally: CustomStringConvertible {
    var requests = 0
    var ledgerCrashes = 0
    var webCrashes = 0
    var failedCommits = 0
    var granted: TokenCount = 0
    var billed: TokenCount = 0
    var writtenOff: TokenCount = 0
    /// By corrections: what dead webs' last progress had said too much.
    var givenBack: TokenCount = 0
    /// Produced by requests whose web died, and billed to nobody: what came after the last progress that the ledger heard.
    var unbilled: TokenCount = 0
    var mostUnbilledOfOne: TokenCount = 0
    // These stay 0.
    var overspent = 0
    var lostPosts = 0
    var leaked = 0

    /// What requests had produced when their web died.
    private var died: [RequestID: TokenCount] = [:]

    static let query = "SELECT request, sum(billed), sum(written_off) FROM usage_events GROUP BY request"

    mutating func diedWith(_ web: SimulatedWeb) {
        for (request, live) in web.live { died[request] = TokenCount(live.produced) }
    }

    mutating func add(_ rows: [SQLRow]) {
        for row in rows {
            let used = TokenCount(row[1] as Int64) + TokenCount(row[2] as Int64)
            billed += TokenCount(row[1] as Int64)
            writtenOff += TokenCount(row[2] as Int64)
            died[RequestID(row[0] as String)]? -= used
        }
        for missing in died.values where missing > 0 {
            unbilled += missing
            mostUnbilledOfOne = max(mostUnbilledOfOne, missing)
        }
        died = [:]
    }

    static let queryOfRefunds = "SELECT -sum(billed) FROM usage_events WHERE billed < 0"

    mutating func add(_ other: Tally) {
        requests += other.requests
        ledgerCrashes += other.ledgerCrashes
        webCrashes += other.webCrashes
        failedCommits += other.failedCommits
        granted += other.granted
        billed += other.billed
        writtenOff += other.writtenOff
        givenBack += other.givenBack
        unbilled += other.unbilled
        mostUnbilledOfOne = max(mostUnbilledOfOne, other.mostUnbilledOfOne)
        overspent += other.overspent
        lostPosts += other.lostPosts
        leaked += other.leaked
    }

    var description: String {
        """
        requests \(requests), ledger crashes \(ledgerCrashes), web crashes \(webCrashes), failed commits \
        \(failedCommits), tokens granted \(granted), billed \(billed), written off \(writtenOff), given back \
        \(givenBack), unbilled after a web's death \(unbilled) (at most \(mostUnbilledOfOne) of one request), overspent \(overspent), lost posts \(lostPosts), \
        leaked reservations \(leaked)
        """
    }
}
