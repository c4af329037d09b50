import Glibc

/// How a process ended.
enum ChildExit: Equatable, Sendable, CustomStringConvertible {
    case status(Int32)
    case signal(Int32)

    /// `EX_CONFIG` of sysexits.h.
    static let badConfiguration: Int32 = 78
    /// What a shell reports of a program that it cannot start.
    static let cannotExecute: Int32 = 126

    /// - Parameter status: as `waitpid` tells it.
    init(waitStatus status: Int32) {
        let signal = status & 0x7F
        self = signal == 0 ? .status((status >> 8) & 0xFF) : .signal(signal)
    }

    var description: String {
        switch self {
        case .status(let status): "ended with status \(status)"
        case .signal(let signal): "was killed by signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}
