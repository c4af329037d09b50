import NIOCore

/// When a child that died is started again, and when to give up: a first death is answered at once, the next after 0.5, 1,
/// 2 … 30 s. Deaths are forgotten after five minutes, and ten within that time are too many.
struct RestartPolicy {
    static let window = TimeAmount.minutes(5)
    static let deathLimit = 10
    static let firstDelay = TimeAmount.milliseconds(500)
    static let longestDelay = TimeAmount.seconds(30)

    /// Within the window, oldest first.
    private var deaths: [NIODeadline] = []
    private var hasBeenReady = false

    enum Decision: Equatable {
        case restart(after: TimeAmount)
        case giveUp(Reason)
    }

    enum Reason: Equatable {
        /// The child does not accept its configuration. Only before it was ready for the first time: a file that is
        /// broken later must not take down the services that still run with what it said before.
        case badConfiguration
        case diesTooOften
    }

    /// An instance of the child answered.
    mutating func becameReady() { hasBeenReady = true }

    mutating func died(_ exit: ChildExit, at now: NIODeadline) -> Decision {
        if exit == .status(ChildExit.badConfiguration), !hasBeenReady { return .giveUp(.badConfiguration) }
        deaths.removeAll { $0 <= now - Self.window }
        deaths.append(now)
        if deaths.count >= Self.deathLimit { return .giveUp(.diesTooOften) }
        return .restart(after: Self.delay(afterDeath: deaths.count))
    }

    private static func delay(afterDeath number: Int) -> TimeAmount {
        guard number > 1 else { return .zero }
        return min(longestDelay, firstDelay * (1 << (number - 2)))
    }
}
