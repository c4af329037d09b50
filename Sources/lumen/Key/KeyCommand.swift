import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// `lumen key`: API keys, for scripts, first set-up and tests. People make theirs on the site.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Makes API keys.", subcommands: [Create.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Prints a fresh API key, which is shown only this once.",
            discussion: "The user is created if need be. Exits with 69 when auth-service is away."
        )

        /// How long auth-service may take.
        private static let timeout = Duration.seconds(5)

        @OptionGroup var configuration: ConfigurationArgument

        @Option(help: "The e-mail address of the key's owner.")
        var user: String

        @Option(help: "What the owner is to know the key by.")
        var name: String

        @Option(help: "All the tokens that the key may ever spend; none: what its owner may.")
        var cap: String?

        @Option(help: "When the key ends: a time from now (12h, 90d) or a moment (2027-01-31T18:00:00Z); none: never.")
        var expires: KeyExpiry?

        @Option(
            name: .customLong("model"),
            help: "A model that the key may use, and no others; may be repeated. None: those that its owner may.")
        var models: [String] = []

        func run() async throws {
            let site = SiteClient(try configuration.load())
            do throws(CallError) {
                let call = Auth.CreateKey(
                    owner: .email(user), name: name, cap: try tokens(cap), expires: expires?.moment(after: .now()),
                    models: models.isEmpty ? nil : models.map { ModelName($0) })
                let key = try await site.call(call, at: "auth.sock", timeout: Self.timeout)
                print(key.secret)
            } catch {
                StandardError.print("lumen: \(Self.sentence(for: error, in: site.runDirectory))")
                throw Self.isAway(error) ? ExitCode.unavailable : .failure
            }
        }

        /// A number as in the configuration: `1_000_000`.
        private func tokens(_ cap: String?) throws(CallError) -> TokenCount? {
            guard let cap else { return nil }
            guard let number = Int64(cap.filter { $0 != "_" }) else {
                throw CallError(.refused, "A key's cap is between 1 and \(Budget.mostTokens) tokens.")
            }
            return TokenCount(number)
        }

        private static func isAway(_ error: CallError) -> Bool {
            [.unavailable, .deadlineExceeded, .connectionLost, .busy].contains(error.code)
        }

        private static func sentence(for error: CallError, in runDirectory: String) -> String {
            switch error.code {
            case .unavailable: "auth-service is not running in \(runDirectory)."
            case .deadlineExceeded, .connectionLost:
                "auth-service did not answer; whether the key was made is not known."
            default: "The key was not made: \(error.message)"
            }
        }
    }
}
