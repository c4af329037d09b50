#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Paths as the configuration means them.
enum FilePaths {
    /// The longest path that the kernel takes for a Unix socket, in bytes.
    static let longestSocketPath = 107

    static var workingFolder: String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }

    /// `path`, taken as relative to `folder` unless it begins with `/`.
    static func absolute(_ path: String, relativeTo folder: String) -> String {
        if path.hasPrefix("/") { return path }
        let path = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return folder.hasSuffix("/") ? folder + path : folder + "/" + path
    }

    /// The folder that a file lies in: everything before the last `/`.
    static func folder(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}
