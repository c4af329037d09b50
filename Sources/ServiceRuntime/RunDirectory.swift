import Glibc

/// `app.run_dir`, the folder of the Unix sockets: whoever can open it can call every service.
public enum RunDirectory {
    /// Makes the folder, and those above it, if need be, and closes it to everybody but its owner. A folder that is made
    /// to be shared, such as /tmp, is left alone and refused.
    public static func make(_ path: String) throws(UnusableConfiguration) {
        for end in path.indices.dropFirst() where path[end] == "/" { mkdir(String(path[..<end]), 0o755) }
        if mkdir(path, 0o700) == 0 { return }
        var found = stat()
        guard errno == EEXIST, stat(path, &found) == 0 else { throw unusable(path) }
        guard found.st_mode & S_ISVTX == 0 else {
            throw UnusableConfiguration("app.run_dir: \(path) is shared by everybody; name a folder below it.")
        }
        guard chmod(path, 0o700) == 0 else { throw unusable(path) }
    }

    private static func unusable(_ path: String) -> UnusableConfiguration {
        UnusableConfiguration("app.run_dir: \(path): \(String(cString: strerror(errno))).")
    }
}
