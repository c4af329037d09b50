import ArgumentParser
import FoundationEssentials
import ServiceRuntime
import SharedProtocol

/// `lumen status`: whether everything is well, and if not, what is wrong.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows each service instance and each model's endpoints.",
        discussion: "Exits with 0 when every service runs and everything is healthy, else with 1."
    )

    @OptionGroup var configuration: ConfigurationArgument

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let site = SiteClient(try configuration.load())
        async let supervision = SocketAnswer.supervision(of: site)
        let status = SiteStatus(await SocketAnswer.all(of: site), supervision: await supervision)
        print(json ? try Self.json(status) : status.text(now: .now()))
        if !status.isHealthy { throw ExitCode.failure }
    }

    private static func json(_ status: SiteStatus) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(status), as: UTF8.self)
    }
}
