import ArgumentParser
import FoundationEssentials
import SharedProtocol

/// When a key ends: `90d`, as spans of time are written in the configuration, or a moment as in RFC 3339.
enum KeyExpiry: ExpressibleByArgument, Hashable {
    case after(Duration)
    case at(Timestamp)

    init?(argument: String) {
        if let span = DurationText.parse(argument) {
            self = .after(span)
        } else if let date = try? Date(argument, strategy: .iso8601) {
            self = .at(Timestamp(Int64((date.timeIntervalSince1970 * 1000).rounded(.down))))
        } else {
            return nil
        }
    }

    func moment(after now: Timestamp) -> Timestamp {
        switch self {
        case .after(let span): Timestamp(now.rawValue + span.milliseconds)
        case .at(let moment): moment
        }
    }
}
