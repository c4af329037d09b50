import ArgumentParser
import Glibc
import ServiceRuntime
import SharedProtocol

/// `lumen check`: says everything that is wrong with the configuration, and what is likely a mistake.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks the configuration; prints each problem with file, line and key.",
        discussion: "Exits with 1 when there is a problem. Warnings alone are no problem. A PostgreSQL server is asked "
            + "whether it admits enough connections."
    )

    @OptionGroup var configuration: ConfigurationArgument

    func run() throws {
        let loaded = try configuration.load(exitingWith: EXIT_FAILURE)
        let database = DatabaseWarning.sentence(for: loaded.app)
        for warning in loaded.warnings + [database].compactMap(\.self) { StandardError.print("warning: \(warning)") }
        print("\(configuration.path) is valid.")
    }
}
