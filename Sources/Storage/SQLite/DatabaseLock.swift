#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Keeps a second process away from a SQLite file: a lock file beside it, locked for as long as this value lives. The
/// kernel frees it when the process ends, however it ends; the file itself stays.
final class DatabaseLock: Sendable {
    private let descriptor: Int32

    init(beside database: String) throws(StorageProblem) {
        let path = database + ".lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StorageProblem("The lock file \(path) cannot be opened: \(String(cString: strerror(errno))).")
        }
        guard Self.lock(descriptor) else {
            close(descriptor)
            throw StorageProblem(
                "The database \(database) is in use by another process; with SQLite there can be only one instance of "
                    + "this service.",
                // It may be on its way out, with streams that take their time to drain.
                isTransient: true)
        }
    }

    /// The process before us may be on its way out, as after its supervisor was killed.
    static let patienceMs = 3000

    private static func lock(_ descriptor: Int32) -> Bool {
        for _ in 0..<(patienceMs / 50) {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            usleep(50_000)
        }
        return false
    }

    deinit { close(descriptor) }
}
