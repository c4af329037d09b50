import ArgumentParser
import Glibc
import ServiceRuntime

/// `lumen dummy`: an OpenAI-compatible backend with nothing behind it, for demonstrations, tests and load.
struct DummyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dummy",
        abstract: "Runs the echo backend at http://127.0.0.1:PORT/v1.",
        discussion: """
            Answers with the last message quoted and two formulas; every word is one token and, in a stream, one event.
            How it answers follows from the model's name; names joined by + add up (gap-50+no-usage):

            \(Behaviour.help)

            http://127.0.0.1:PORT/v1/models lists an example of each name; the base URL http://127.0.0.1:PORT/any/v1 \
            lists nothing, so that a router takes any of the names above as served.
            http://127.0.0.1:PORT/observed tells what the latest requests got and when their clients left.
            """
    )

    // Every command takes --config, so that scripts need not know which ones read it.
    @OptionGroup var configuration: ConfigurationArgument

    @Option(help: "The port to listen on, on the loopback address only; 0 lets the system choose.")
    var port = 9999

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is a number from 0 to 65535.") }
    }

    /// Runs until a signal ends the process: there is nothing to save.
    func run() async throws {
        ServiceProcess.raiseDescriptorLimit()
        try await DummyServer().run(port: port) { port in
            print("The echo backend is at http://127.0.0.1:\(port)/v1")
            fflush(nil)
        }
    }
}
