import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// `lumen router`: more routers, or fewer, while the site runs.
struct RouterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router", abstract: "Adds and drains router instances.", subcommands: [Add.self, Drain.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Starts one more router beside the running ones and prints its id.",
            discussion: """
                Exits with 69 when there is no `lumen up` to start it, with 1 when the router does not answer within ten \
                seconds.
                """)

        @OptionGroup var configuration: ConfigurationArgument

        func run() async throws {
            let router = try await RouterCommand.ask(Supervision.AddRouter(), of: try configuration.load())
            print(router.instance)
            guard router.state == .running else {
                StandardError.print("lumen: It has not answered yet; see `lumen status`.")
                throw ExitCode.failure
            }
        }
    }

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drain",
            abstract: "Lets a router finish its streams and leave.",
            discussion: """
                Returns as soon as the router has been told; `lumen status` shows it until it has left, after routing.drain \
                at the latest. Exits with 69 when there is no `lumen up`, with 1 when there is no such router or it is the \
                only one.
                """)

        @Argument(help: "The router's id, as `lumen status` shows it.")
        var id: String

        @OptionGroup var configuration: ConfigurationArgument

        func run() async throws {
            let call = Supervision.DrainRouter(instance: InstanceID(id))
            let router = try await RouterCommand.ask(call, of: try configuration.load())
            print("\(router.instance) is draining")
        }
    }

    /// Longer than the supervisor waits for a new router.
    private static let timeout = Duration.seconds(15)

    private static func ask<C: Call>(_ call: C, of site: LumenConfiguration) async throws -> C.Reply {
        do throws(CallError) {
            return try await SiteClient(site).call(call, at: "lumen.sock", timeout: timeout)
        } catch {
            switch error.code {
            case .unavailable:
                StandardError.print(
                    "lumen: No `lumen up` runs in \(site.app.runDirectory): scale with your supervisor.")
                throw ExitCode.unavailable
            case .deadlineExceeded, .connectionLost, .busy:
                StandardError.print("lumen: `lumen up` did not answer; see `lumen status` for what it did.")
                throw ExitCode.unavailable
            default:
                StandardError.print("lumen: \(error.message)")
                throw ExitCode.failure
            }
        }
    }
}
