import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// The site and the API: everything that speaks HTTP to people and programs.
@main
struct WebService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web-service", abstract: "Serves Lumen's pages and its OpenAI-compatible API.")

    @OptionGroup var arguments: ServiceArguments

    func run() async throws {
        try await ServiceProcess.run(.web, arguments) { try await WebService.build($0) }
    }
}
