import Glibc
import NIOPosix

extension ServiceProcess {
    /// Names the descriptor of the pipe that `lumen up` holds open for as long as it lives.
    public static let supervisorVariable = "LUMEN_SUPERVISOR_FD"

    /// Ends this service in good order when its supervisor is gone, however it went: a child that outlives it would hold
    /// sockets that the next one needs.
    static func watchSupervisor() {
        guard let text = getenv(supervisorVariable), let descriptor = CInt(String(cString: text)) else { return }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
        thread.submit { _ in
            var byte: UInt8 = 0
            // Nothing is ever written: the read returns when the last writer is gone.
            while read(descriptor, &byte, 1) < 0 && errno == EINTR {}
            kill(getpid(), SIGTERM)
        }
    }
}
