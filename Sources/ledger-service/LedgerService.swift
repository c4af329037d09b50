import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// Decides about money, alone: token budgets, reservations, bills.
@main
struct LedgerService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger-service", abstract: "Keeps the token budgets of Lumen.")

    @OptionGroup var arguments: ServiceArguments

    func run() async throws {
        try await ServiceProcess.run(.ledger, arguments) { try await LedgerService.build($0) }
    }
}
