#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Reads `config.yaml` and the environment into a `LumenConfiguration`, or says everything that is wrong with them.
public enum ConfigurationLoader {
    /// The largest file that is read, in bytes.
    static let largestFile = 4 << 20

    /// Reads a file once. Blocks: for start-up, and for the watcher's own thread.
    ///
    /// - Parameters:
    ///   - path: absolute or relative to the working directory.
    ///   - environment: the process's; an entry `LUMEN_LISTEN` stands for `--listen` too.
    public static func load(
        path: String, environment: [String: String]
    ) throws(ConfigurationProblems) -> LumenConfiguration {
        try load(text: read(path), path: path, environment: environment)
    }

    /// The configuration that `text` says; `path` is for messages and for relative paths.
    public static func load(
        text: String, path: String, environment: [String: String]
    ) throws(ConfigurationProblems) -> LumenConfiguration {
        let document = document(path, environment)
        let configuration = document.root(of: text).map { LumenConfiguration($0) }
        guard let configuration, document.problems.isEmpty else {
            throw ConfigurationProblems(document.sortedProblems)
        }
        return configuration
    }

    static func document(_ path: String, _ environment: [String: String]) -> ConfigurationDocument {
        ConfigurationDocument(file: path, overrides: EnvironmentOverride.all(in: environment))
    }

    /// The file's text.
    static func read(_ path: String) throws(ConfigurationProblems) -> String {
        func problem(_ sentence: String) -> ConfigurationProblems {
            ConfigurationProblems([ConfigurationProblem(place: path, key: "", sentence: sentence)])
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem("cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= largestFile {
            let count = Self.readChunk(descriptor, &chunk)
            if count < 0 { throw problem("cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 {
                guard let text = String(validating: bytes, as: UTF8.self) else { throw problem("is not UTF-8 text") }
                return text
            }
            bytes += chunk[..<count]
        }
        throw problem("is larger than \(largestFile) bytes")
    }

    private static func readChunk(_ descriptor: Int32, _ chunk: inout [UInt8]) -> Int {
        chunk.withUnsafeMutableBytes { buffer in
            #if canImport(Glibc)
                Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            #else
                Darwin.read(descriptor, buffer.baseAddress, buffer.count)
            #endif
        }
    }
}
