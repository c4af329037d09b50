import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// Knows who people are: users, their sessions and API keys.
@main
struct AuthService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "auth-service", abstract: "Keeps the users, sessions and API keys of Lumen.")

    @OptionGroup var arguments: ServiceArguments

    func run() async throws {
        try await ServiceProcess.run(.auth, arguments) { try await AuthService.build($0) }
    }
}
