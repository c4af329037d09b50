import ArgumentParser
import SharedProtocol

/// The operator's command: a launcher and a client of the four services. No business logic lives here; each command has
/// a folder of its own.
@main
struct Lumen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lumen",
        abstract: "Runs and inspects Lumen, the AI portal.",
        subcommands: [
            UpCommand.self, CheckCommand.self, StatusCommand.self, RouterCommand.self, KeyCommand.self,
            LedgerCommand.self, AuditCommand.self, DummyCommand.self,
        ]
    )
}
