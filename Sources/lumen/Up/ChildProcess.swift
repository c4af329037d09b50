import Glibc
import NIOConcurrencyHelpers
import NIOPosix

/// A program started by this one. It has a process group of its own, so that a terminal's Ctrl-C reaches only us, and of
/// our files it inherits nothing but standard output, standard error and one end of a pipe: when that closes, whatever
/// became of us, the child knows that it is alone.
final class ChildProcess: Sendable {
    /// The pipe's number in the child, which an environment variable tells it.
    private static let pipeInChild: Int32 = 3
    private static let pipeVariable = "LUMEN_SUPERVISOR_FD"

    let pid: pid_t
    private let hasBeenReaped: NIOLockedValueBox<Bool>
    private let ending: Task<ChildExit, Never>

    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - pipe: descriptor of the read end.
    init(
        _ executable: String, arguments: [String], environment: [String: String], pipe: Int32
    ) throws(OperatorError) {
        var environment = environment
        environment[Self.pipeVariable] = String(Self.pipeInChild)
        // A service works on one or two threads; glibc would give each of its idle ones an arena of its own (measured: 0.3
        // MB a process).
        if environment["MALLOC_ARENA_MAX"] == nil { environment["MALLOC_ARENA_MAX"] = "2" }
        var child = pid_t()
        let error = Self.spawn(
            &child, executable, [executable] + arguments, environment.map { "\($0)=\($1)" }, pipe: pipe)
        guard error == 0 else { throw OperatorError("\(executable): \(String(cString: strerror(error)))") }
        let hasBeenReaped = NIOLockedValueBox(false)
        pid = child
        self.hasBeenReaped = hasBeenReaped
        ending = Task { await Self.waitForExit(of: child, hasBeenReaped) }
    }

    /// Does nothing once the child has been waited for: the number may then be another process's.
    func send(_ signal: Int32) {
        hasBeenReaped.withLockedValue { hasBeenReaped in
            if !hasBeenReaped { kill(pid, signal) }
        }
    }

    /// Waits for the end.
    func exit() async -> ChildExit { await ending.value }
}

// MARK: Waiting

extension ChildProcess {
    /// On a thread made for it: a thread is what `waitpid` needs, and a SIGCHLD handler would be shared with everything
    /// else in the process.
    private static func waitForExit(of pid: pid_t, _ hasBeenReaped: NIOLockedValueBox<Bool>) async -> ChildExit {
        let waiter = NIOThreadPool(numberOfThreads: 1)
        waiter.start()
        let exit = try? await waiter.runIfActive { reap(pid, hasBeenReaped) }
        try? await waiter.shutdownGracefully()
        guard let exit else { preconditionFailure("the pool is stopped only after its only job") }
        return exit
    }

    /// Blocks until the process has ended.
    private static func reap(_ pid: pid_t, _ hasBeenReaped: NIOLockedValueBox<Bool>) -> ChildExit {
        // It remains, as a zombie whose number is not given away, until no signal can be sent to it any more.
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        return hasBeenReaped.withLockedValue { hasBeenReaped in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            hasBeenReaped = true
            return ChildExit(waitStatus: status)
        }
    }
}

// MARK: Starting

extension ChildProcess {
    /// Returns 0 or an error number.
    private static func spawn(
        _ child: inout pid_t, _ executable: String, _ arguments: [String], _ environment: [String], pipe: Int32
    ) -> Int32 {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&files, pipe, pipeInChild)
        closeOnExec()

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)

        return withCStrings(arguments) { arguments in
            withCStrings(environment) { environment in
                posix_spawn(&child, executable, &files, &attributes, arguments, environment)
            }
        }
    }

    /// Marks every file that is open here as none of a child's business: not every library does.
    private static func closeOnExec() {
        guard let folder = opendir("/proc/self/fd") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let file = Int32(name), file > STDERR_FILENO { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        }
    }

    /// The texts as a C program's `argv`.
    private static func withCStrings<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
