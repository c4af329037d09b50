import Glibc

/// The socket's name in the file system. A lock file beside it says whether its owner lives, so that a socket left by a
/// killed process is told from one in use. The socket is bound under a temporary name and renamed when it is ready.
public struct SocketFile: Sendable {
    /// Longest path that `sockaddr_un` holds, in bytes.
    public static let pathLimit = 107

    let path: String
    private let lock: CInt

    var temporaryPath: String { path + ".new" }
    private static func lockPath(_ path: String) -> String { path + ".lock" }

    /// Takes the name. Throws `refused` when another process holds it, or the path is too long.
    public static func claim(_ path: String) throws(CallError) -> SocketFile {
        guard path.utf8.count + ".new".utf8.count <= pathLimit else {
            throw CallError(.refused, "the socket path \(path) is longer than \(pathLimit - 4) bytes")
        }
        while true {
            let lock = open(lockPath(path), O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
            guard lock >= 0 else { throw CallError(.refused, "\(lockPath(path)): \(String(cString: strerror(errno)))") }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                close(lock)
                throw CallError(.refused, "\(path) belongs to another running process")
            }
            // The owner before us may have removed the file between our opening and locking it.
            if isCurrent(lock, at: lockPath(path)) {
                unlink(path + ".new")
                return SocketFile(path: path, lock: lock)
            }
            close(lock)
        }
    }

    private static func isCurrent(_ file: CInt, at path: String) -> Bool {
        var opened = stat()
        var named = stat()
        return fstat(file, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino
    }

    func publish() throws(CallError) {
        guard rename(temporaryPath, path) == 0 else {
            throw CallError(.refused, "\(path): \(String(cString: strerror(errno)))")
        }
    }

    func unpublish() { unlink(path) }

    /// Gives the name back and removes what stands under it.
    public func release() {
        unlink(path)
        unlink(temporaryPath)
        unlink(Self.lockPath(path))
        close(lock)
    }

    /// Removes what a killed process left at `path`; does nothing while its owner lives.
    public static func removeIfDead(_ path: String) {
        guard let file = try? claim(path) else { return }
        file.release()
    }
}
