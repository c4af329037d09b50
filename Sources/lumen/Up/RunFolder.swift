import FoundationEssentials
import ServiceRuntime
import SharedProtocol

/// `app.run_dir`, the folder of the Unix sockets, held by one `lumen up` at a time.
struct RunFolder {
    private let path: String
    private let lock: SocketFile

    /// Makes the folder if need be, closes it to everybody else, locks it, and clears what killed processes left in it.
    static func take(_ path: String) throws(OperatorError) -> RunFolder {
        do throws(UnusableConfiguration) {
            try RunDirectory.make(path)
        } catch {
            throw OperatorError(error.sentences.joined(separator: " "))
        }
        do throws(CallError) {
            let folder = RunFolder(path: path, lock: try SocketFile.claim(path + "/lumen"))
            folder.removeDeadSockets()
            return folder
        } catch {
            throw OperatorError("Lumen is already running in \(path).")
        }
    }

    func release() {
        removeDeadSockets()
        lock.release()
    }

    private func removeDeadSockets() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for name in names {
            guard let socket = name.firstRange(of: ".sock") else { continue }
            SocketFile.removeIfDead(path + "/" + name[..<socket.upperBound])
        }
    }
}
