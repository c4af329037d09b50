import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// The data plane: knows the models' backends and their health, gives each request to one of them, and relays what comes
/// back. It knows no users and no budgets and keeps nothing, so any number of instances may run beside each other.
@main
struct RouterService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router-service", abstract: "Sends requests to the models' backends and relays their answers.")

    @OptionGroup var arguments: ServiceArguments

    func run() async throws {
        try await ServiceProcess.run(.router, arguments) { try RouterService.build($0) }
    }
}
