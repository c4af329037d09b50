import ArgumentParser
import Glibc
import ServiceRuntime
import SharedProtocol

/// `lumen check`: says everything that is wrong with the configuration, and what is likely a mistake.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks the configuration; prints each problem with file, line and key.",
        discussion: "Exits with 1 when there is a problem. Warnings alone are no problem."
    )

    @OptionGroup var configuration: ConfigurationArgument

    func run() throws {
        let warnings = try configuration.load(exitingWith: EXIT_FAILURE).warnings
        for warning in warnings { StandardError.print("warning: \(warning)") }
        print("\(configuration.path) is valid.")
    }
}
