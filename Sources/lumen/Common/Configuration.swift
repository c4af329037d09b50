import ArgumentParser
import FoundationEssentials
import ServiceRuntime
import SharedProtocol

extension ConfigurationArgument {
    /// Loads the configuration. What is wrong with it goes to standard error, one line each, and the command ends.
    func load(exitingWith status: Int32 = ServiceProcess.badConfigurationStatus) throws -> LumenConfiguration {
        do throws(ConfigurationProblems) {
            return try ConfigurationLoader.load(path: path, environment: ProcessInfo.processInfo.environment)
        } catch {
            StandardError.print(error.description)
            throw ExitCode(status)
        }
    }
}
