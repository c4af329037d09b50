import CCurl
import Glibc
import Synchronization

/// How other threads reach the loop's: a batch of commands costs one write to an eventfd.
final class Inbox: Sendable {
    /// Becomes readable when a batch begins. Watched edge-triggered, so it is never read.
    let descriptor: Int32
    private let state = Mutex(State())

    enum Command: Sendable {
        case start(Transfer, HTTPRequest)
        case unpause(Transfer)
        case discard(Transfer)
        case cancel(Transfer)
        case stop(CheckedContinuation<Void, Never>?)
    }

    private struct State {
        var commands: [Command] = []
        var isClosed = false
    }

    init() throws(HTTPClientError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        if descriptor < 0 { throw .cannotStart("eventfd: error \(errno)") }
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// False: the loop has stopped, and the command is dropped.
    @discardableResult
    func submit(_ command: Command) -> Bool {
        let (isTaken, isFirst) = state.withLock { state in
            if state.isClosed { return (false, false) }
            state.commands.append(command)
            return (true, state.commands.count == 1)
        }
        if isFirst { eventfd_write(descriptor, 1) }
        return isTaken
    }

    /// Swaps the commands that have come with the given array, which keeps its storage for the next batch.
    func drain(into commands: inout [Command]) {
        commands.removeAll(keepingCapacity: true)
        state.withLock { swap(&$0.commands, &commands) }
    }

    /// Takes no more commands and returns the last ones.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
    }
}
