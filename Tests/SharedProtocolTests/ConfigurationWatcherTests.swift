import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import SharedProtocol

@Suite struct ConfigurationWatcherTests {
    /// A file that is rewritten under a watcher's eyes.
    private final class WatchedFile {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "lumen-\(UUID().uuidString).yaml").path(percentEncoded: false)

        init(_ text: String) throws { try write(text) }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String) throws { try text.write(toFile: path, atomically: true, encoding: .utf8) }
        func remove() throws { try FileManager.default.removeItem(atPath: path) }
    }

    private func watch(_ file: WatchedFile, interval: Duration = .seconds(2)) throws -> ConfigurationWatcher {
        try ConfigurationWatcher(
            path: file.path, environment: [:], interval: interval,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func firstConfigurationMustBeGood() throws {
        let file = try WatchedFile("app:\n")
        #expect(throws: ConfigurationProblems.self) { try watch(file) }
    }

    @Test func changedContentComesIntoForce() async throws {
        let file = try WatchedFile(leastConfiguration)
        let watcher = try watch(file)
        let seen = NIOLockedValueBox<[String]>([])
        watcher.onChange { configuration in seen.withLockedValue { $0.append(configuration.app.name) } }
        try file.write(leastConfiguration + "  name: New\n")
        await watcher.reload()
        #expect(watcher.current.app.name == "New")
        #expect(seen.withLockedValue { $0 } == ["New"])
    }

    @Test func sameContentIsNoChange() async throws {
        let file = try WatchedFile(leastConfiguration)
        let watcher = try watch(file)
        watcher.onChange { _ in Issue.record("nothing changed") }
        try file.write(leastConfiguration)
        await watcher.reload()
        try file.write(leastConfiguration + "# a comment\n")
        await watcher.reload()
        #expect(watcher.problems == [])
    }

    @Test func badContentChangesNothingAndIsShown() async throws {
        let file = try WatchedFile(leastConfiguration + "  name: Old\n")
        let watcher = try watch(file)
        try file.write(leastConfiguration + "  name: New\n  colour: red\n")
        await watcher.reload()
        #expect(watcher.current.app.name == "Old")
        #expect(watcher.problems.map(\.key) == ["app.colour"])
        try file.write(leastConfiguration + "  name: Newer\n")
        await watcher.reload()
        #expect(watcher.current.app.name == "Newer")
        #expect(watcher.problems == [])
    }

    @Test func emptyFileChangesNothing() async throws {
        let file = try WatchedFile(leastConfiguration + "  name: Old\n")
        let watcher = try watch(file)
        try file.write("")
        await watcher.reload()
        #expect(watcher.current.app.name == "Old")
        #expect(watcher.problems.map(\.sentence) == ["the file is empty"])
    }

    @Test func missingFileChangesNothingAndIsForgivenWhenItIsBack() async throws {
        let file = try WatchedFile(leastConfiguration + "  name: Old\n")
        let watcher = try watch(file)
        try file.remove()
        await watcher.reload()
        #expect(watcher.current.app.name == "Old")
        #expect(watcher.problems.count == 1)
        try file.write(leastConfiguration + "  name: Old\n")
        await watcher.reload()
        #expect(watcher.problems == [])
    }

    @Test func keyThatNeedsARestartKeepsItsRunningValue() async throws {
        let file = try WatchedFile(leastConfiguration)
        let watcher = try watch(file)
        let before = watcher.current.app
        try file.write(
            leastConfiguration.replacing("other", with: "another") + "  listen: 127.0.0.1:1\n  tagline: New\n"
                + "rate_limiting:\n  storage_url: redis://localhost\n")
        await watcher.reload()
        #expect(watcher.current.app.encryptionKey == before.encryptionKey)
        #expect(watcher.current.app.listen == before.listen)
        #expect(watcher.current.app.publicURL == before.publicURL)
        #expect(watcher.current.rateLimiting.storage == nil)
        #expect(watcher.current.app.tagline == "New")
        #expect(
            watcher.pendingRestart == [
                "app.encryption_key", "app.listen", "app.public_url", "rate_limiting.storage_url",
            ])
    }

    /// `debug` needs a restart and `dev_user` does not: together they must not open a door.
    @Test func devUserIsNotHonouredWhileDebugIsNotInForce() async throws {
        let provider = """
            oauth2:
              client_id: me
              client_secret: s
              server_metadata_url: https://idp.example/x
              redirect_uri: http://localhost:5000/callback

            """
        let closed = leastConfiguration.split(separator: "\n").prefix(3).joined(separator: "\n") + "\n"
        let file = try WatchedFile(closed + provider)
        let watcher = try watch(file)
        try file.write(leastConfiguration + provider)
        await watcher.reload()
        #expect(watcher.current.app.debug == false)
        #expect(watcher.current.app.devUser == nil)
        #expect(watcher.pendingRestart == ["app.debug"])
    }

    @Test func runningWatcherFindsTheChangeByItself() async throws {
        let file = try WatchedFile(leastConfiguration)
        let watcher = try watch(file, interval: .milliseconds(5))
        let running = Task { try await watcher.run() }
        await withCheckedContinuation { continuation in
            watcher.onChange { _ in continuation.resume() }
            try? file.write(leastConfiguration + "  name: New\n")
        }
        running.cancel()
        try await running.value
        #expect(watcher.current.app.name == "New")
    }
}
