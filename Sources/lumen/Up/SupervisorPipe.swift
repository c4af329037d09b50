import Glibc

/// The pipe whose closing tells the children that `lumen up` is gone; nothing is ever written to it. The kernel closes it
/// even after `kill -9`.
final class SupervisorPipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(OperatorError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw OperatorError("no pipe could be made: \(String(cString: strerror(errno)))")
        }
        // A child that held the write end would keep the pipe from ever closing.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }
}
