import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// `lumen ledger`: an auditor's look at the ledger.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Examines the ledger.", subcommands: [Verify.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Recomputes all sums of usage and all balances from what they were made of.",
            discussion: "Prints what does not add up. Exits with 1 if there is any, with 69 when the ledger is away."
        )

        /// Reading millions of events takes minutes.
        private static let timeout = Duration.seconds(600)

        @OptionGroup var configuration: ConfigurationArgument

        func run() async throws {
            let site = SiteClient(try configuration.load())
            let result: Ledger.Verification
            do throws(CallError) {
                result = try await site.call(Ledger.Verify(), at: "ledger.sock", timeout: Self.timeout)
            } catch {
                StandardError.print("lumen: The ledger could not verify its books: \(error.message)")
                throw ExitCode.unavailable
            }
            print("\(result.events) usage events, \(result.entries) entries of \(result.pools) pools")
            for fault in result.faults { print("does not add up: \(fault)") }
            guard result.faults.isEmpty else { throw ExitCode.failure }
            print("everything adds up")
        }
    }
}
