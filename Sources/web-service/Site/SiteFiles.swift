import Crypto
import SharedProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A folder of files that browsers fetch: scripts, styles, fonts. They are served below a fingerprint of the folder's whole
/// content, so that they may be kept for ever and still never be stale.
struct SiteFiles: Sendable {
    /// `assets` or `vendor`: the first part of the path.
    let name: String
    /// Changes with any byte of any file.
    let fingerprint: String
    /// By path below the folder.
    private let files: [String: String]

    /// Where pages find the files, without a slash at the end.
    var prefix: String { "/\(name)/\(fingerprint)" }
    var isEmpty: Bool { files.isEmpty }

    /// Reads every file once for the fingerprint. A folder that is missing is empty. Blocks: for start-up only.
    init(_ name: String, folder: String) {
        self.name = name
        var files: [String: String] = [:]
        var hash = SHA256()
        let paths = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
        for path in paths.sorted() where Self.type(of: path) != nil {
            let file = folder + "/" + path
            guard let content = FileManager.default.contents(atPath: file) else { continue }
            hash.update(data: Array(path.utf8) + [0])
            hash.update(data: content)
            files[path] = file
        }
        self.files = files
        fingerprint = hash.finalize().prefix(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// The file and its media type; nil unless it was there at the start, so nothing outside the folder can be named.
    func file(_ path: String) -> (path: String, type: String)? {
        guard let file = files[path], let type = Self.type(of: path) else { return nil }
        return (file, type)
    }

    private static func type(of path: String) -> String? {
        types[path.split(separator: ".").last.map(String.init) ?? ""]
    }

    private static let types = [
        "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "woff2": "font/woff2",
    ]
}

/// Where this program's files are: beside the executable, as SwiftPM and the image lay them.
enum ProgramFolder {
    static var resources: String { executableFolder + "/lumen_web-service.resources/Resources" }

    /// The browser libraries, fetched at set-up.
    static func vendor(environment: [String: String]) -> String {
        environment["LUMEN_VENDOR_DIR"] ?? executableFolder + "/vendor"
    }

    /// Foundation's `Bundle` would load far more than is needed to know this.
    private static var executableFolder: String {
        let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return executable.map { String($0[..<($0.lastIndex(of: "/") ?? $0.endIndex)]) } ?? "."
    }
}
