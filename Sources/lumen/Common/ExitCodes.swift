import ArgumentParser

extension ExitCode {
    /// `EX_UNAVAILABLE` of sysexits.h: a service that the command needs is away.
    static let unavailable = ExitCode(69)
}
