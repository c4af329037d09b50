import FoundationEssentials
import Logging
import SharedProtocol

/// A small valid configuration in a file of its own, as the services read it.
enum TestConfiguration {
    static func watcher(limit: String = "1000 per minute") throws -> ConfigurationWatcher {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lumen-\(RandomText.base32(10))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "config.yaml")
        let yaml = """
            app:
              secret_key: "0123456789abcdef0123456789abcdef"
              encryption_key: "another-secret"
              debug: true
              dev_user: dev@example.com
              run_dir: \(folder.path())/r
            models:
              - name: a
                endpoints: [{url: "http://127.0.0.1:9/v1"}]
              - name: hidden
                active: false
                endpoints: [{url: "http://127.0.0.1:9/v1"}]
            groups:
              default: {default: {max: 1000}}
            rate_limiting: {limit: "\(limit)"}
            """
        try Data(yaml.utf8).write(to: file)
        return try ConfigurationWatcher(
            path: file.path(), environment: [:], logger: Logger(label: "test"))
    }

    static func make() throws -> LumenConfiguration { try watcher().current }
}
