import ArgumentParser
import ServiceRuntime
import SharedProtocol

/// `lumen audit`: an auditor's look at what admins did.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Examines the audit log.", subcommands: [Verify.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Recomputes the hashes of all entries, each of which holds that of the one before.",
            discussion: """
                Prints how many entries there are and the hash of the last one. Write both down: a log whose end was cut \
                off has another. Exits with 1 if an entry was altered, removed or swapped, with 69 when auth-service is away.
                """
        )

        /// Reading millions of entries takes minutes.
        private static let timeout = Duration.seconds(600)

        @OptionGroup var configuration: ConfigurationArgument

        func run() async throws {
            let site = SiteClient(try configuration.load())
            let result: Auth.AuditVerification
            do throws(CallError) {
                result = try await site.call(Auth.VerifyAudit(), at: "auth.sock", timeout: Self.timeout)
            } catch {
                StandardError.print("lumen: The audit log could not be verified: \(error.message)")
                throw ExitCode.unavailable
            }
            print("\(result.entries) entries, the last with the hash \(result.head)")
            if let fault = result.fault {
                print("the chain is broken: \(fault)")
                throw ExitCode.failure
            }
            print("every entry is as it was written")
        }
    }
}
