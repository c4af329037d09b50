import SharedProtocol

/// What has come from a backend so far, for the bill.
struct Tally {
    private(set) var usage: Router.ReportedUsage?
    private(set) var contentEvents: Int64 = 0
    private(set) var contentBytes: Int64 = 0
    /// Whether the answer has come to an end that a backend means: without it, the end of a stream is a broken one.
    private(set) var isFinished = false
    /// Whether anything has reached the caller; from then on the endpoint cannot be changed.
    var hasRelayed = false

    mutating func count(_ event: EventScan) {
        if event.contentBytes > 0 {
            contentEvents += 1
            contentBytes += Int64(event.contentBytes)
            // A count from before is not a count of this.
            usage = nil
        }
        if let reported = event.usage { usage = reported }
        if event.isFinished { isFinished = true }
    }
}
